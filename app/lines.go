package app

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

const (
	chunkLines = 500     // most lines of a chunk, and of a round trip to the broker
	chunkBytes = 1 << 20 // a chunk that reaches this size takes no further line
)

// line is one line of input, without its end.
type line struct {
	number int64
	size   int64  // bytes
	text   []byte // nil if the line is longer than the reader keeps
}

// chunk is what is read at once: all lines that are at hand, so that a slow producer's lines need not wait for more.
type chunk struct {
	lines []line
	read  int64 // bytes of input so far
	err   error // that ended the input; io.EOF at its end
}

// lineReader splits input into lines. A line that is longer than it keeps is read to its end and not held in memory.
type lineReader struct {
	in      *bufio.Reader
	longest int64 // bytes of a line that it keeps

	number int64
	read   int64
}

func newLineReader(in io.Reader, longest int64) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, chunkBytes), longest: longest}
}

// chunks reads in a goroutine of its own until the input or the context ends; then it closes the channel. The goroutine
// that blocks in a read of standard input cannot be interrupted: it ends with the input or with the process.
func (r *lineReader) chunks(ctx context.Context) <-chan chunk {
	chunks := make(chan chunk)
	go func() {
		defer close(chunks)
		for {
			next := r.chunk()
			select {
			case chunks <- next:
			case <-ctx.Done():
				return
			}
			if next.err != nil {
				return
			}
		}
	}()
	return chunks
}

// chunk waits for a line and takes the further ones that are at hand.
func (r *lineReader) chunk() chunk {
	var lines []line
	for size := int64(0); len(lines) == 0 || len(lines) < chunkLines && size < chunkBytes && r.atHand(); {
		next, err := r.line()
		if next.size > 0 || err == nil {
			lines = append(lines, next)
		}
		if err != nil {
			return chunk{lines, r.read, err}
		}
		size += int64(len(next.text))
	}
	return chunk{lines, r.read, nil}
}

// atHand reports whether a whole line can be had without waiting.
func (r *lineReader) atHand() bool {
	waiting, _ := r.in.Peek(r.in.Buffered())
	return bytes.IndexByte(waiting, '\n') >= 0
}

// line reads one line. Together with an error it returns what the input holds behind the last line break.
func (r *lineReader) line() (line, error) {
	r.number++
	next, total := line{number: r.number}, int64(0)
	for {
		part, err := r.in.ReadSlice('\n')
		r.read += int64(len(part))
		if r.read == int64(len(part)) {
			part = bytes.TrimPrefix(part, []byte("\uFEFF"))
		}
		total += int64(len(part))
		const lineBreak = 2
		if total <= r.longest+lineBreak {
			next.text = append(next.text, part...)
		} else {
			next.text = nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		next.size = total
		if err == nil {
			next.size--
		}
		if next.text != nil {
			next.text = bytes.TrimSuffix(bytes.TrimSuffix(next.text, []byte("\n")), []byte("\r"))
			next.size = int64(len(next.text))
		}
		if next.size > r.longest {
			next.text = nil
		}
		return next, err
	}
}
