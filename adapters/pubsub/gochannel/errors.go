package gochannel

import (
	"errors"
	"fmt"
	"time"

	"leat/handlers/fault"
)

// CodeFull is the code of the error, of kind Unavailable, that a publisher gets when the topic stays full.
const CodeFull = "full"

var errClosed error = &fault.Error{Kind: fault.Canceled, Code: "closed", Err: errors.New("the broker is closed")}

// fullError says what a topic held when its publisher gave up.
type fullError struct {
	count  int
	bytes  int64
	waited time.Duration
}

func (e fullError) Error() string {
	return fmt.Sprintf("the topic is full (%d messages, %d bytes) and had no room within %s: its handlers do not keep up; publish slower, or see broker.gochannel.buffer and buffer_bytes", e.count, e.bytes, e.waited.Round(time.Millisecond))
}
