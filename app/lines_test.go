package app

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestLinesAreSplitWithoutTheirEnds(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     []line
	}{
		{"nothing", "", nil},
		{"all kinds of ends", "a\nb\r\n\nc", []line{{1, 1, []byte("a")}, {2, 1, []byte("b")}, {3, 0, []byte{}}, {4, 1, []byte("c")}}},
		{"at the limit", "12345678\r\n1", []line{{1, 8, []byte("12345678")}, {2, 1, []byte("1")}}},
		{"over the limit", "123456789\n1234567890\n12345678901\n1\n123456789", []line{{1, 9, nil}, {2, 10, nil}, {3, 11, nil}, {4, 1, []byte("1")}, {5, 9, nil}}},
		{"byte order mark", "\uFEFFa\n\uFEFFb", []line{{1, 1, []byte("a")}, {2, 4, []byte("\uFEFFb")}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(test.in), iotest.DataErrReader(strings.NewReader(test.in))} {
				require.Equal(t, test.want, allLines(t, in, 8))
			}
		})
	}
}

func TestLongLinesAreNotHeld(t *testing.T) {
	in := io.MultiReader(strings.NewReader("a\n"), io.LimitReader(zeros{}, 64<<20), strings.NewReader("\nb\n"))
	require.Equal(t, []line{{1, 1, []byte("a")}, {2, 64 << 20, nil}, {3, 1, []byte("b")}}, allLines(t, in, 8))
}

func TestChunksAreBounded(t *testing.T) {
	reader := newLineReader(strings.NewReader(strings.Repeat("x\n", 1201)), 8)
	sizes := []int{}
	for next := range reader.chunks(t.Context()) {
		sizes = append(sizes, len(next.lines))
	}
	require.Equal(t, []int{500, 500, 201, 0}, sizes)
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\xef\xbb\xbfc"), int64(3))
	f.Fuzz(func(t *testing.T, in []byte, longest int64) {
		if longest < 0 || longest > 1<<20 {
			t.Skip()
		}
		lines := allLines(t, bytes.NewReader(in), longest)
		want := bytes.Split(bytes.TrimPrefix(in, []byte("\uFEFF")), []byte("\n"))
		if last := want[len(want)-1]; len(last) == 0 || string(last) == "\r" { // nothing behind the last line break
			want = want[:len(want)-1]
		}
		require.Len(t, lines, len(want))
		for n, line := range lines {
			text := bytes.TrimSuffix(want[n], []byte("\r"))
			require.Equal(t, int64(n+1), line.number)
			if line.text != nil {
				require.Equal(t, string(text), string(line.text))
			} else {
				require.Greater(t, line.size, longest)
				require.GreaterOrEqual(t, line.size, int64(len(text)))
			}
		}
	})
}

func allLines(t *testing.T, in io.Reader, longest int64) (lines []line) {
	t.Helper()
	for next := range newLineReader(in, longest).chunks(t.Context()) {
		lines = append(lines, next.lines...)
		if next.err != nil {
			require.Equal(t, io.EOF, next.err)
		}
	}
	return lines
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
