package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// kind is the type of a leaf as people know it; its text is what documentation says.
type kind string

const (
	kindBool     kind = "bool"
	kindInt      kind = "int"
	kindFloat    kind = "number"
	kindString   kind = "string"
	kindList     kind = "list"
	kindDuration kind = "duration"
	kindSize     kind = "size"
)

func kindOf(field reflect.StructField) kind {
	switch {
	case field.Type == reflect.TypeFor[time.Duration]():
		return kindDuration
	case field.Type.Kind() == reflect.Int64 && field.Tag.Get("unit") == "bytes":
		return kindSize
	case field.Type == reflect.TypeFor[[]string]():
		return kindList
	}
	switch field.Type.Kind() {
	case reflect.Bool:
		return kindBool
	case reflect.Int, reflect.Int64:
		return kindInt
	case reflect.Float64:
		return kindFloat
	case reflect.String:
		return kindString
	}
	panic(fmt.Sprintf("config: field %s has type %s, which has no written form", field.Name, field.Type))
}

// setText sets the leaf from text as a file, a variable or a flag holds it, or returns what is wrong with the text
// and what is allowed, and then leaves the value as it was. The problem does not repeat the text.
func (l *leaf) setText(text, origin string) (problem string) {
	if l.kind != kindList {
		return l.setItems([]string{text}, origin)
	}
	items := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return l.setItems(items, origin)
}

// setItems is setText for a value that is split into its entries; all but lists have exactly one.
func (l *leaf) setItems(items []string, origin string) (problem string) {
	for _, item := range items {
		if problem := l.checkText(item); problem != "" {
			return problem
		}
	}
	var value any
	if l.kind == kindList {
		value = append([]string(nil), items...)
	} else {
		parsed, err := parse(l.kind, items[0])
		if err != nil {
			return err.Error()
		}
		value = parsed
	}
	if problem := l.checkRange(value); problem != "" {
		return problem
	}
	l.field.Set(reflect.ValueOf(value).Convert(l.field.Type()))
	l.origin = origin
	return ""
}

func (l *leaf) checkText(text string) (problem string) {
	switch {
	case !utf8.ValidString(text):
		return "is not valid UTF-8"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "contains a line break or another control character"
	case text == "" && l.kind == kindList:
		return "has an empty entry"
	case l.secret != "" && strings.Contains(text, masked):
		return "still holds " + masked + " in place of a secret; put the secret there, or leave the key out"
	case len(l.oneof) > 0 && !slices.Contains(l.oneof, text):
		return "must be one of " + strings.Join(l.choices(), ", ")
	}
	return ""
}

// parse reads one value: a bool, int64, float64, string or time.Duration; sizes are int64.
func parse(k kind, text string) (any, error) {
	if k != kindString {
		text = strings.TrimSpace(text)
	}
	switch k {
	case kindBool:
		switch strings.ToLower(text) {
		case "true", "yes", "on", "1":
			return true, nil
		case "false", "no", "off", "0":
			return false, nil
		}
		return nil, errors.New("must be true or false")
	case kindInt:
		n, err := strconv.ParseInt(text, 10, strconv.IntSize)
		if err != nil {
			return nil, errors.New("must be a whole number")
		}
		return n, nil
	case kindFloat:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, errors.New("must be a number")
		}
		return f, nil
	case kindDuration:
		return parseDuration(text)
	case kindSize:
		return parseSize(text)
	default:
		return text, nil
	}
}

// checkRange compares a value with min and max.
func (l *leaf) checkRange(value any) (problem string) {
	measured, what := value, "must be"
	measure := l.kind
	switch v := value.(type) {
	case string:
		measured, what, measure = int64(utf8.RuneCountInString(v)), "must have a length of", kindInt
	case []string:
		measured, what, measure = int64(len(v)), "must have a number of entries of", kindInt
	}
	for _, bound := range []struct {
		text, word string
		sign       float64
	}{{l.min, "at least", 1}, {l.max, "at most", -1}} {
		if bound.text == "" {
			continue
		}
		limit, err := parse(measure, bound.text)
		if err != nil {
			panic(fmt.Sprintf("config: bound %q of %s: %s", bound.text, l.key, err))
		}
		if (number(measured)-number(limit))*bound.sign < 0 {
			return fmt.Sprintf("%s %s %s", what, bound.word, bound.text)
		}
	}
	return ""
}

func number(value any) float64 {
	switch v := value.(type) {
	case int64:
		return float64(v)
	case time.Duration:
		return float64(v)
	case float64:
		return v
	default:
		panic(fmt.Sprintf("config: a bound on %T", value))
	}
}

// text is the value as setText reads it back. It shows secrets.
func (l *leaf) text() string {
	if l.kind == kindList {
		return strings.Join(l.items(), ",")
	}
	return format(l.kind, l.field)
}

func (l *leaf) items() []string {
	return l.field.Interface().([]string)
}

func format(k kind, v reflect.Value) string {
	switch k {
	case kindBool:
		return strconv.FormatBool(v.Bool())
	case kindInt:
		return strconv.FormatInt(v.Int(), 10)
	case kindFloat:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case kindDuration:
		return formatDuration(time.Duration(v.Int()))
	case kindSize:
		return formatSize(v.Int())
	default:
		return v.String()
	}
}
