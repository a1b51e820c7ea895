package redisstream

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Metadata travels as a msgpack map of strings, as watermill-redisstream writes it.

var errMetadata = errors.New("metadata is not a msgpack map of strings")

// appendMetadata appends the msgpack form of metadata to b.
func appendMetadata(b []byte, metadata message.Metadata) []byte {
	switch n := len(metadata); {
	case n < 16:
		b = append(b, 0x80|byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 0xde), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdf), uint32(n))
	}
	for name, value := range metadata {
		b = appendText(appendText(b, name), value)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n <= math.MaxUint8:
		b = append(b, 0xd9, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
	}
	return append(b, s...)
}

// decodeMetadata adds what raw holds to metadata.
func decodeMetadata(raw string, metadata message.Metadata) error {
	return walkMetadata(raw, func(name, value string) { metadata[name] = value })
}

// checkMetadata reports whether decodeMetadata will succeed.
func checkMetadata(raw string) error { return walkMetadata(raw, func(string, string) {}) }

// walkMetadata visits what raw holds. Empty and nil hold nothing. It takes no memory, whatever lengths raw claims.
func walkMetadata(raw string, visit func(name, value string)) error {
	if raw == "" || raw[0] == 0xc0 {
		return nil
	}
	code, rest := raw[0], raw[1:]
	n, ok := 0, true
	switch {
	case code&0xf0 == 0x80:
		n = int(code & 0x0f)
	case code == 0xde:
		n, rest, ok = bigEndian(rest, 2)
	case code == 0xdf:
		n, rest, ok = bigEndian(rest, 4)
	default:
		ok = false
	}
	if !ok || n > len(rest)/2 {
		return errMetadata
	}
	for range n {
		var name, value string
		if name, rest, ok = text(rest); !ok {
			return errMetadata
		}
		if value, rest, ok = text(rest); !ok {
			return errMetadata
		}
		visit(name, value)
	}
	return nil
}

// text reads a string, a binary or nil, which is the empty string.
func text(raw string) (value, rest string, ok bool) {
	if raw == "" {
		return "", "", false
	}
	code, rest := raw[0], raw[1:]
	n := 0
	switch {
	case code == 0xc0:
		return "", rest, true
	case code&0xe0 == 0xa0:
		n, ok = int(code&0x1f), true
	case code == 0xd9 || code == 0xc4:
		n, rest, ok = bigEndian(rest, 1)
	case code == 0xda || code == 0xc5:
		n, rest, ok = bigEndian(rest, 2)
	case code == 0xdb || code == 0xc6:
		n, rest, ok = bigEndian(rest, 4)
	}
	if !ok || n > len(rest) {
		return "", "", false
	}
	return rest[:n], rest[n:], true
}

func bigEndian(raw string, size int) (n int, rest string, ok bool) {
	if len(raw) < size {
		return 0, "", false
	}
	for _, digit := range []byte(raw[:size]) {
		n = n<<8 | int(digit)
	}
	return n, raw[size:], true
}
