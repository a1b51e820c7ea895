package redisstream

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"
)

// uuidField marks an entry as a Watermill envelope.
const uuidField = "_watermill_message_uuid"

// body is what an entry carries, apart from its place in the stream.
type body struct {
	uuid      string // of the producer; empty unless the entry is an envelope
	payload   []byte
	metadata  string // of an envelope: msgpack, checked
	malformed string // why the entry could not be decoded; the payload is then its raw fields
}

// decode turns names and values of fields, in turn, into a body. It never fails: what cannot be decoded is
// malformed. The body shares no memory with the fields.
func decode(values [][]byte) body {
	if len(values)%2 != 0 {
		return malformed(values, "a field has no value")
	}
	if name, ok := repeated(values); ok {
		return malformed(values, "field "+printable(name)+" is repeated")
	}
	if field(values, uuidField) != nil {
		return decodeEnvelope(values)
	}
	if value, ok := singleValue(values); ok {
		return body{payload: bytes.Clone(value)}
	}
	payload, bad := appendObject(nil, values)
	if bad != nil {
		return malformed(values, "field "+printable(bad)+" is not valid UTF-8")
	}
	return body{payload: payload}
}

func decodeEnvelope(values [][]byte) body {
	decoded := body{
		uuid:     string(field(values, uuidField)),
		payload:  append([]byte{}, field(values, "payload")...),
		metadata: string(field(values, "metadata")),
	}
	if decoded.metadata != "" {
		if err := checkMetadata(decoded.metadata); err != nil {
			return malformed(values, err.Error())
		}
	}
	return decoded
}

// field returns the value of a field, nil if there is none. An empty value is not nil.
func field(values [][]byte, name string) []byte {
	for i := 0; i < len(values); i += 2 {
		if string(values[i]) == name {
			return values[i+1]
		}
	}
	return nil
}

// singleValue returns the value of an entry whose only field holds the whole payload. The class names that
// Spring adds do not count.
func singleValue(values [][]byte) ([]byte, bool) {
	if len(values) > 6 {
		return nil, false
	}
	var single []byte
	for i := 0; i < len(values); i += 2 {
		switch string(values[i]) {
		case "_class", "@class":
		case "payload", "data", "message":
			if single != nil {
				return nil, false
			}
			single = values[i+1]
		default:
			return nil, false
		}
	}
	return single, single != nil
}

// repeated returns the name of a field that occurs twice.
func repeated(values [][]byte) ([]byte, bool) {
	if len(values) > 64 {
		seen := make(map[string]struct{}, len(values)/2)
		for i := 0; i < len(values); i += 2 {
			if _, ok := seen[string(values[i])]; ok {
				return values[i], true
			}
			seen[string(values[i])] = struct{}{}
		}
		return nil, false
	}
	for i := 2; i < len(values); i += 2 {
		for j := 0; j < i; j += 2 {
			if len(values[i]) == len(values[j]) && bytes.Equal(values[i], values[j]) {
				return values[i], true
			}
		}
	}
	return nil, false
}

// appendObject appends the fields as a JSON object of strings. The second result is the name of a field that
// is not valid UTF-8, in its name or its value.
func appendObject(b []byte, values [][]byte) (object, bad []byte) {
	size := 2
	for _, value := range values {
		size += len(value) + 3
	}
	b = append(make([]byte, 0, len(b)+size+size/16), b...)
	b = append(b, '{')
	for i := 0; i < len(values); i += 2 {
		if !utf8.Valid(values[i]) || !utf8.Valid(values[i+1]) {
			return nil, values[i]
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, values[i]), ':')
		b = appendString(b, values[i+1])
	}
	return append(b, '}'), nil
}

// appendString appends valid UTF-8 as a JSON string.
func appendString(b, s []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i, c := range s {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// malformed returns the body of an entry that cannot be decoded. Its payload keeps all of the entry, in order:
//
//	[{"name":"userId","value":"u1"},{"name":"title","base64":"/w=="}]
//
// Text that is not valid UTF-8 stands in base64, under "base64" for a value and "name_base64" for a name.
func malformed(values [][]byte, reason string) body {
	b := []byte{'['}
	for i := 0; i < len(values); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendMember(append(b, '{'), "name", "name_base64", values[i])
		if i+1 < len(values) {
			b = appendMember(append(b, ','), "value", "base64", values[i+1])
		}
		b = append(b, '}')
	}
	return body{payload: append(b, ']'), malformed: reason}
}

func appendMember(b []byte, text, binary string, value []byte) []byte {
	name := text
	if !utf8.Valid(value) {
		name, value = binary, []byte(base64.StdEncoding.EncodeToString(value))
	}
	b = append(appendString(b, []byte(name)), ':')
	return appendString(b, value)
}

// printable quotes a name for a message, cut where it is long.
func printable(name []byte) string {
	const most = 64
	if len(name) > most {
		name = name[:most]
	}
	return string(appendString(nil, bytes.ToValidUTF8(name, []byte("\uFFFD"))))
}
