package redisstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// entry is an entry of a stream: its id, and names and values of its fields in turn. Nil values are an entry
// whose data is gone. The bytes are valid only during the call that hands the entry over.
type entry struct {
	id     []byte
	values [][]byte
}

// serverError is an error reply. It satisfies redis.Error.
type serverError string

func (e serverError) Error() string { return string(e) }

// RedisError marks an error that Redis itself replied.
func (serverError) RedisError() {}

var errReply = errors.New("malformed reply")

const (
	replyBuffer = 256 << 10
	mostBulk    = 512 << 20 // what Redis allows
)

// replyReader reads replies of XREADGROUP in RESP2 entry by entry, through one buffer that is as large as the
// largest entry. After any error but a serverError, it is out of step and must be thrown away.
type replyReader struct {
	source io.Reader
	buf    []byte
	r, w   int // buf[r:w] is not parsed yet
	start  int // of the entry that is being parsed
	read   int // bytes of the reply so far

	spans  []int // of the entry's strings, from start: begin and end in turn
	values [][]byte
}

// next reads one reply, and hands over its entries.
func (p *replyReader) next(visit func(entry)) error {
	p.start, p.read = p.r, 0
	streams, err := p.header('*')
	if err != nil || streams < 0 {
		return err
	}
	if n, err := p.header('*'); err != nil || streams != 1 || n != 2 {
		return errors.Join(errReply, err)
	}
	if err := p.bulk(); err != nil {
		return err
	}
	entries, err := p.header('*')
	if err != nil {
		return err
	}
	for range entries {
		if err := p.entry(visit); err != nil {
			return err
		}
	}
	p.start = p.r
	if p.r == p.w {
		p.r, p.w, p.start = 0, 0, 0
		if len(p.buf) > 4*replyBuffer {
			p.buf = nil
		}
	}
	return nil
}

// size is the length of the last reply in bytes.
func (p *replyReader) size() int { return p.read }

func (p *replyReader) entry(visit func(entry)) error {
	p.start, p.spans = p.r, p.spans[:0]
	if n, err := p.header('*'); err != nil || n != 2 {
		return errors.Join(errReply, err)
	}
	if err := p.bulk(); err != nil {
		return err
	}
	n, err := p.header('*')
	if err != nil {
		return err
	}
	for range n {
		if err := p.bulk(); err != nil {
			return err
		}
	}
	p.values = p.values[:0]
	for i := 0; i < len(p.spans); i += 2 {
		from, to := p.start+p.spans[i], p.start+p.spans[i+1]
		p.values = append(p.values, p.buf[from:to:to])
	}
	e := entry{id: p.values[0]}
	if n >= 0 {
		e.values = p.values[1:]
	}
	visit(e)
	return nil
}

// header reads the line that begins a value, and returns its number; null is -1.
func (p *replyReader) header(kind byte) (int, error) {
	var line []byte
	for searched := 0; ; {
		if i := bytes.IndexByte(p.buf[p.r+searched:p.w], '\n'); i >= 0 {
			line = p.buf[p.r : p.r+searched+i]
			break
		}
		searched = p.w - p.r
		if err := p.fill(); err != nil {
			return 0, err
		}
	}
	if len(line) < 2 || line[len(line)-1] != '\r' {
		return 0, errReply
	}
	p.r += len(line) + 1
	line = line[:len(line)-1]
	switch {
	case line[0] == '-':
		return 0, serverError(line[1:])
	case line[0] != kind && (line[0] != '$' || kind != '*'):
		return 0, errReply
	case string(line[1:]) == "-1":
		return -1, nil
	case line[0] != kind:
		return 0, errReply
	}
	n := 0
	for _, digit := range line[1:] {
		if digit -= '0'; digit > 9 || n > mostBulk {
			return 0, errReply
		}
		n = n*10 + int(digit)
	}
	return n, nil
}

// bulk reads a string and notes where it stands.
func (p *replyReader) bulk() error {
	n, err := p.header('$')
	if err != nil {
		return err
	}
	if n < 0 || n > mostBulk {
		return errReply
	}
	for p.w-p.r < n+2 {
		if err := p.fill(); err != nil {
			return err
		}
	}
	p.spans = append(p.spans, p.r-p.start, p.r-p.start+n)
	p.r += n + 2
	return nil
}

// fill reads more. It keeps what has been read of the entry, and moves it to the front when the buffer is full.
func (p *replyReader) fill() error {
	if p.w == len(p.buf) {
		larger := p.buf
		if p.start == 0 {
			larger = make([]byte, max(replyBuffer, 2*len(p.buf)))
		}
		p.w = copy(larger, p.buf[p.start:p.w])
		p.r -= p.start
		p.buf, p.start = larger, 0
	}
	n, err := p.source.Read(p.buf[p.w:])
	p.w += n
	p.read += n
	if n > 0 {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// visitDecoded does for a reply that go-redis decoded what a replyReader does for a raw one. It returns the
// size of the values in bytes.
func visitDecoded(decoded any, visit func(entry)) (size int, err error) {
	var entries any
	switch streams := decoded.(type) {
	case nil:
		return 0, nil
	case map[any]any:
		for _, entries = range streams {
		}
	case []any:
		if len(streams) != 1 {
			return 0, errReply
		}
		pair, _ := streams[0].([]any)
		if len(pair) != 2 {
			return 0, errReply
		}
		entries = pair[1]
	}
	list, ok := entries.([]any)
	if !ok {
		return 0, fmt.Errorf("%w: %T", errReply, entries)
	}
	for _, each := range list {
		pair, _ := each.([]any)
		if len(pair) != 2 {
			return size, errReply
		}
		e := entry{id: byteForm(pair[0]), values: fieldBytes(pair[1])}
		for _, value := range e.values {
			size += len(value)
		}
		visit(e)
	}
	return size, nil
}

// fieldBytes turns a decoded array of fields into their bytes; nil stays nil.
func fieldBytes(decoded any) [][]byte {
	list, ok := decoded.([]any)
	if !ok {
		return nil
	}
	values := make([][]byte, len(list))
	for i, value := range list {
		values[i] = byteForm(value)
	}
	return values
}

func byteForm(value any) []byte {
	switch value := value.(type) {
	case string:
		return []byte(value)
	case int64:
		return strconv.AppendInt(nil, value, 10)
	}
	return []byte{}
}
