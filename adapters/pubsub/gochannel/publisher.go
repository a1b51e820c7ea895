package gochannel

import (
	"fmt"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/fault"
)

// publisher appends to topics. It is safe for concurrent use.
type publisher struct {
	backend *Backend
	closed  atomic.Bool
}

// Publish copies the messages into the topic, as the package documentation says. Errors are of kind Unavailable with CodeFull
// when there was no room in time, Canceled when the context or the publisher was ended, and Invalid when a message is larger than
// Config.BufferBytes; nothing is published in that case.
func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	if p.closed.Load() {
		return failure(errClosed, topic, 0, len(messages))
	}
	if len(messages) == 0 || p.backend.wrong != nil {
		return p.backend.wrong
	}
	if topic == "" {
		return fault.Invalidf("topic", "gochannel: the topic is empty")
	}
	entries := make([]*entry, len(messages))
	at := now()
	for n, msg := range messages {
		entries[n] = newEntry(msg, at)
		if most := p.backend.config.BufferBytes; int64(entries[n].size) > most {
			return fault.Invalidf("too_large", "gochannel: message %q has %d bytes, more than broker.gochannel.buffer_bytes (%d)", msg.UUID, entries[n].size, most)
		}
	}
	ctx := messages[0].Context()
	if err := ctx.Err(); err != nil {
		return failure(err, topic, 0, len(messages))
	}
	taken, err := p.backend.topic(topic).publish(ctx, entries)
	return failure(err, topic, taken, len(messages))
}

// Close makes later calls fail. It does not touch the topics.
func (p *publisher) Close() error {
	p.closed.Store(true)
	return nil
}

// failure says what was published in spite of an error.
func failure(err error, topic string, taken, of int) error {
	if err == nil {
		return nil
	}
	detail := fault.Of(err)
	return &fault.Error{Kind: detail.Kind, Code: detail.Code, Err: fmt.Errorf("gochannel: publish to %q: %d of %d messages were taken: %w", topic, taken, of, err)}
}

var _ message.Publisher = (*publisher)(nil)
