package sql

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

func TestDecodeMetadata(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"": nil, "{}": nil, "null": nil, `{"a":"b"}`: {"a": "b"}, ` { "a" : "\u0000" } `: {"a": "\x00"},
	} {
		got, malformed := decodeMetadata([]byte(text))
		require.Empty(t, malformed, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{`{"a":1}`, `["a"]`, `"a"`, `{"a":{"b":"c"}}`, "no JSON"} {
		got, malformed := decodeMetadata([]byte(text))
		require.Contains(t, malformed, "not an object of strings", text)
		require.Equal(t, map[string]string{rawMetadata: text}, got)
	}
}

func TestEncodeRefuses(t *testing.T) {
	large := message.NewMessage("u", make([]byte, maxMessage-1))
	for says, msg := range map[string]*message.Message{
		"UUID":                        message.NewMessage("a\x00b", nil),
		"valid":                       message.NewMessage("\xff", nil),
		"not valid UTF-8, which JSON": {UUID: "u", Metadata: message.Metadata{"k": "\xff"}},
		"more than 268435456":         large,
	} {
		_, err := encode(msg)
		require.ErrorContains(t, err, says)
		require.Equal(t, fault.Invalid, fault.KindOf(err))
	}
}

// Every message has a map of its own, which the subscription may change.
func TestMessagesShareNoMetadata(t *testing.T) {
	e := entry{uuid: "u", payload: []byte("p"), metadata: map[string]string{"a": "b"}}
	first, second := e.message(), e.message()
	first.Metadata["a"] = "c"
	require.Equal(t, "b", second.Metadata["a"])
	require.Equal(t, message.Metadata{"a": "b"}, e.message().Metadata)
	require.NotNil(t, (&entry{}).message().Metadata)
}

// What is encoded is decoded as it was, or was refused.
func FuzzMetadata(f *testing.F) {
	f.Add("key", "value", "k2", "\x00")
	f.Add("", "", "\xff", "<&>\u2028")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		metadata := message.Metadata{k1: v1, k2: v2}
		text, err := encode(&message.Message{UUID: "u", Metadata: metadata})
		if !utf8.ValidString(k1 + " " + v1 + " " + k2 + " " + v2) {
			if utf8.ValidString(k2) && utf8.ValidString(v2) && k1 == k2 {
				return // the one that is not valid was overwritten
			}
			require.Equal(t, fault.Invalid, fault.KindOf(err))
			return
		}
		require.NoError(t, err)
		require.True(t, json.Valid(text))
		require.NotContains(t, string(text), "\x00")
		got, malformed := decodeMetadata(text)
		require.Empty(t, malformed)
		require.True(t, maps.Equal(map[string]string(metadata), got), "%q: %q", metadata, got)
	})
}

// Whatever stands in the column, a message comes of it.
func FuzzDecodeMetadata(f *testing.F) {
	for _, seed := range []string{"{}", `{"a":"b"}`, `{"a":1}`, `{"a":null}`, "[]", strings.Repeat("[", 100)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		metadata, malformed := decodeMetadata(text)
		if malformed != "" {
			require.Equal(t, map[string]string{rawMetadata: string(text)}, metadata)
		}
		require.NotNil(t, (&entry{metadata: metadata}).message().Metadata)
	})
}
