package gochannel

import (
	"time"

	"leat/adapters/pubsub/inflight"
	"leat/handlers/fault"
)

// Config is what an operator may set, under broker.gochannel.
type Config struct {
	InFlight       int           `config:"in_flight" default:"2000" min:"1" max:"100000" doc:"messages of one subscription that may be without an outcome at a time; fewer if their payloads exceed 64 MiB"`
	Buffer         int           `config:"buffer" default:"100000" min:"2" max:"10000000" doc:"most messages that a topic holds; when it is full, publishers wait, or the oldest is dropped if nobody reads the topic"`
	BufferBytes    int64         `config:"buffer_bytes" unit:"bytes" default:"64MiB" min:"1KiB" max:"64GiB" doc:"most bytes of payload and metadata that a topic holds; a larger message is refused"`
	PublishTimeout time.Duration `config:"publish_timeout" default:"5s" min:"1ms" max:"10m" doc:"how long a publisher waits for room in a full topic"`
	Nack           inflight.Nack `config:"nack" doc:"delivering again what a handler refused"`
}

func (c Config) check() error {
	switch {
	case c.InFlight < 1:
		return fault.Invalidf("options", "gochannel: in_flight must be at least 1")
	case c.Buffer < 2 || c.BufferBytes < 1:
		return fault.Invalidf("options", "gochannel: buffer must be at least 2, and buffer_bytes at least 1")
	case c.PublishTimeout <= 0 || c.Nack.Delay <= 0:
		return fault.Invalidf("options", "gochannel: publish_timeout and nack.delay must be above 0")
	}
	return nil
}
