package activity

import "github.com/tidwall/gjson"

// Field is a field of an entry: text, as a producer writes it.
type Field struct{ Name, Value string }

// Flat returns the JSON object of a payload as the flat fields of an entry, which the pipeline decodes to the same event:
// numbers and booleans as they are written, null as empty text. Fields that mean nothing to the pipeline are left
// out. It returns false if the payload is no JSON object.
func Flat(payload []byte) ([]Field, bool) {
	object := gjson.ParseBytes(payload)
	if !object.IsObject() {
		return nil, false
	}
	var values [fieldCount]gjson.Result
	object.ForEach(func(key, value gjson.Result) bool {
		if n, ok := fieldIndex[key.Str]; ok {
			values[n] = value
		}
		return true
	})
	entry := make([]Field, 0, fieldCount)
	for n, value := range values {
		if !value.Exists() {
			continue
		}
		field := Field{Name: fieldNames[n], Value: value.Raw}
		switch value.Type {
		case gjson.String:
			field.Value = value.Str
		case gjson.Null:
			field.Value = ""
		}
		entry = append(entry, field)
	}
	return entry, true
}

// fieldNames are the names of fieldIndex, in its order.
var fieldNames = func() (names [fieldCount]string) {
	for name, n := range fieldIndex {
		names[n] = name
	}
	return names
}()
