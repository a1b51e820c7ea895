package redisstream

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

type readEntry struct {
	id     string
	values []string
}

func readAll(source io.Reader) (entries []readEntry, err error) {
	reader := replyReader{source: source}
	err = reader.next(func(e entry) {
		got := readEntry{id: string(e.id)}
		if e.values != nil {
			got.values = []string{}
		}
		for _, value := range e.values {
			got.values = append(got.values, string(value))
		}
		entries = append(entries, got)
	})
	return entries, err
}

func TestReplyReader(t *testing.T) {
	large := strings.Repeat("x", 700_000)
	const two = "*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$3\r\n\r\n!\r\n*2\r\n$3\r\n2-0\r\n*-1\r\n"
	for _, test := range []struct {
		name, reply string
		want        []readEntry
		fails       error
	}{
		{"entries", two, []readEntry{{"1-0", []string{"a", "\r\n!"}}, {"2-0", nil}}, nil},
		{"nothing new", "*-1\r\n", nil, nil},
		{"nothing new, as a string", "$-1\r\n", nil, nil},
		{"error", "-NOGROUP gone\r\n", nil, serverError("NOGROUP gone")},
		{"larger than the buffer", "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$700000\r\n" + large + "\r\n",
			[]readEntry{{"1-0", []string{"a", large}}}, nil},
		{"cut", two[:60], []readEntry{{"1-0", []string{"a", "\r\n!"}}}, io.ErrUnexpectedEOF},
		{"another type", ":1\r\n", nil, errReply},
		{"absurd length", "*1\r\n*2\r\n$99999999999999999999\r\n", nil, errReply},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, source := range []io.Reader{strings.NewReader(test.reply), iotest.HalfReader(strings.NewReader(test.reply))} {
				got, err := readAll(source)
				if test.fails != nil {
					require.ErrorIs(t, err, test.fails)
				} else {
					require.NoError(t, err)
				}
				require.Equal(t, test.want, got)
			}
		})
	}
	t.Run("one after the other", func(t *testing.T) {
		reader := replyReader{source: strings.NewReader(two + "-ERR x\r\n" + two)}
		n := 0
		count := func(entry) { n++ }
		require.NoError(t, reader.next(count))
		require.ErrorIs(t, reader.next(count), serverError("ERR x"))
		require.NoError(t, reader.next(count))
		require.Equal(t, 4, n)
	})
}

// FuzzReplyReader holds that no reply makes the reader panic, and that it does not matter how it arrives.
func FuzzReplyReader(f *testing.F) {
	f.Add([]byte("*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"))
	f.Add([]byte("*1\r\n*2\r\n$1\r\ns\r\n*-1\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		whole, err := readAll(bytes.NewReader(raw))
		pieces, piecesErr := readAll(iotest.OneByteReader(bytes.NewReader(raw)))
		require.Equal(t, whole, pieces)
		require.Equal(t, err == nil, piecesErr == nil)
		require.Equal(t, errors.Is(err, errReply), errors.Is(piecesErr, errReply))
	})
}
