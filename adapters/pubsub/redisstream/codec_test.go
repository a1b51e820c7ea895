package redisstream

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	stock "github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

func fields(texts ...string) [][]byte {
	values := make([][]byte, len(texts))
	for i, text := range texts {
		values[i] = []byte(text)
	}
	return values
}

func TestDecode(t *testing.T) {
	for _, test := range []struct {
		name      string
		values    [][]byte
		uuid      string
		payload   string
		malformed string
	}{
		{"flat fields", fields("userId", "u1", "app", ""), "", `{"userId":"u1","app":""}`, ""},
		{"escapes", fields("a\"\\", "\x00\n\t\x1f\u2028ü"), "", "{\"a\\\"\\\\\":\"\\u0000\\n\\t\\u001f\u2028ü\"}", ""},
		{"single JSON field", fields("payload", `{"userId":1}`), "", `{"userId":1}`, ""},
		{"single JSON field with Spring's class", fields("_class", "a.B", "data", `{}`), "", `{}`, ""},
		{"single field of another name", fields("body", `{}`), "", `{"body":"{}"}`, ""},
		{"two payloads are flat", fields("data", "1", "message", "2"), "", `{"data":"1","message":"2"}`, ""},
		{"class alone is flat", fields("_class", "a.B"), "", `{"_class":"a.B"}`, ""},
		{"envelope", fields(uuidField, "id", "metadata", "", "payload", "p"), "id", "p", ""},
		{"envelope without payload", fields(uuidField, ""), "", "", ""},
		{"broken metadata", fields(uuidField, "id", "metadata", "\x81", "payload", "p"), "",
			`[{"name":"_watermill_message_uuid","value":"id"},{"name":"metadata","base64":"gQ=="},{"name":"payload","value":"p"}]`,
			"metadata is not a msgpack map of strings"},
		{"invalid UTF-8", fields("a", "\xff"), "", `[{"name":"a","base64":"/w=="}]`, `field "a" is not valid UTF-8`},
		{"invalid UTF-8 in a name", fields("\xff", "b"), "", `[{"name_base64":"/w==","value":"b"}]`, "field \"\uFFFD\" is not valid UTF-8"},
		{"repeated", fields("a", "1", "a", "2"), "", `[{"name":"a","value":"1"},{"name":"a","value":"2"}]`, `field "a" is repeated`},
		{"no value", fields("a"), "", `[{"name":"a"}]`, "a field has no value"},
		{"nothing", fields(), "", `{}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := decode(test.values)
			require.Equal(t, test.malformed, got.malformed)
			require.Equal(t, test.payload, string(got.payload))
			require.Equal(t, test.uuid, got.uuid)
		})
	}
	t.Run("many fields, one repeated", func(t *testing.T) {
		var names []string
		for i := range 100 {
			names = append(names, strings.Repeat("x", i+1), "")
		}
		require.Empty(t, decode(fields(names...)).malformed)
		require.NotEmpty(t, decode(fields(append(names, "xxx", "")...)).malformed)
	})
}

// FuzzDecode holds that flat fields survive as JSON, and that malformed entries lose nothing.
func FuzzDecode(f *testing.F) {
	f.Add("userId", "u1", "title", "a\"b\\c\x00")
	f.Add(uuidField, "id", "metadata", "\x81\xa1a\xa1b")
	f.Add(uuidField, "id", "metadata", "\xdf\xff\xff\xff\xff")
	f.Add("payload", "\xff", "_class", "x")
	f.Add("a", "1", "a", "2")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		got := decode(fields(a, b, c, d))
		switch {
		case got.malformed != "":
			var raw []map[string]string
			require.NoError(t, json.Unmarshal(got.payload, &raw))
			require.Len(t, raw, 2)
			require.Equal(t, a, member(t, raw[0], "name", "name_base64"))
			require.Equal(t, b, member(t, raw[0], "value", "base64"))
			require.Equal(t, d, member(t, raw[1], "value", "base64"))
			require.True(t, utf8.ValidString(got.malformed))
		case a == uuidField || c == uuidField:
		case len(got.payload) > 0 && got.payload[0] == '{' && a != "payload" && a != "data" && a != "message" && c != "payload" && c != "data" && c != "message":
			var object map[string]string
			require.NoError(t, json.Unmarshal(got.payload, &object))
			require.Equal(t, map[string]string{a: b, c: d}, object)
		}
	})
}

func member(t *testing.T, object map[string]string, text, binary string) string {
	if value, ok := object[text]; ok {
		return value
	}
	value, err := base64.StdEncoding.DecodeString(object[binary])
	require.NoError(t, err)
	return string(value)
}

// TestMetadataAsStock holds the wire format of metadata against watermill-redisstream's marshaller.
func TestMetadataAsStock(t *testing.T) {
	many := message.Metadata{}
	for i := range 70_000 {
		many[strings.Repeat("k", i%300)+string(rune('a'+i%20))+base64.StdEncoding.EncodeToString([]byte{byte(i), byte(i >> 8), byte(i >> 16)})] = "v"
	}
	for name, metadata := range map[string]message.Metadata{
		"one":   {"a": "b"},
		"sizes": {"": "", "31": strings.Repeat("x", 31), "32": strings.Repeat("x", 32), "256": strings.Repeat("x", 256), "65536": strings.Repeat("x", 65536), "binary": "\xff\x00"},
		"many":  many,
	} {
		t.Run(name, func(t *testing.T) {
			msg := message.NewMessage("id", []byte("p"))
			msg.Metadata = metadata
			theirs, err := stock.DefaultMarshallerUnmarshaller{}.Marshal("", msg)
			require.NoError(t, err)
			got := message.Metadata{}
			require.NoError(t, decodeMetadata(string(theirs["metadata"].([]byte)), got))
			require.Equal(t, metadata, got)

			back, err := stock.DefaultMarshallerUnmarshaller{}.Unmarshal(map[string]any{
				uuidField: "id", "payload": "p", "metadata": string(appendMetadata(nil, metadata)),
			})
			require.NoError(t, err)
			require.Equal(t, metadata, back.Metadata)
		})
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add("\x82\xa1a\xa1b\xd9\x01c\xda\x00\x01d")
	f.Add("\xde\x00\x01\xdb\x00\x00\x00\x01a\xc0")
	f.Fuzz(func(t *testing.T, raw string) {
		got := message.Metadata{}
		if decodeMetadata(raw, got) != nil {
			return
		}
		again := message.Metadata{}
		require.NoError(t, decodeMetadata(string(appendMetadata(nil, got)), again))
		require.Equal(t, got, again)
	})
}
