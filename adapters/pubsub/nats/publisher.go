package nats

import (
	"context"
	"errors"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leat/handlers/fault"
)

const (
	// publishChunk and publishBytes bound what one call has sent without an answer; publishers how many calls send at a time.
	publishChunk = 500
	publishBytes = 4 << 20
	publishers   = 32
)

// publisher publishes to streams. It is safe for concurrent use.
type publisher struct {
	backend *Backend
	turns   chan struct{} // as many as may send

	mu      sync.RWMutex // held for reading during a call
	stopped bool
}

func newPublisher(b *Backend) *publisher {
	return &publisher{backend: b, turns: make(chan struct{}, publishers)}
}

// Publish publishes the messages in order, and waits until the stream has them. A topic without a stream gets one. The context of
// the first message bounds the call.
//
// Messages go out in chunks of 500, fewer if they are large. When an error is returned, the chunks before the failed one are in the
// stream; of the failed chunk, all, some or none; of the later ones, none. Nothing is sent twice by itself. The header Nats-Msg-Id is
// not set: a message that is published again on purpose, out of a DLQ, bears the same UUID, and the server would drop it in silence.
//
// Errors are of kind Invalid for a topic that is no subject, for metadata that headers cannot carry, and for a message that is larger
// than the server takes, with nothing published of its chunk and the later ones; Canceled if the context or the publisher was ended;
// else Unavailable.
func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	if err := checkTopic(topic); err != nil {
		return err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.stopped {
		return &fault.Error{Kind: fault.Canceled, Code: "closed", Err: errors.New("nats: the publisher is closed")}
	}
	ctx := messages[0].Context()
	encoded, err := p.encode(topic, messages)
	if err != nil {
		return err
	}
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return failure(ctx.Err(), "publish to %q", topic)
	}
	for done := 0; done < len(encoded); {
		n := chunk(encoded[done:])
		if err := p.send(ctx, topic, encoded[done:done+n]); err != nil {
			return failure(unretried(err), "publish to %q: %d of %d messages were added, of the next %d perhaps some", topic, done, len(encoded), n)
		}
		done += n
	}
	return nil
}

// encode refuses a message before any is sent.
func (p *publisher) encode(topic string, messages []*message.Message) ([]*natsgo.Msg, error) {
	encoded := make([]*natsgo.Msg, len(messages))
	most := p.backend.conn.MaxPayload()
	for n, msg := range messages {
		var err error
		if encoded[n], err = encode(topic, msg); err != nil {
			return nil, err
		}
		if size := wireSize(encoded[n]); most > 0 && size > most {
			return nil, fault.Invalidf("too_large", "nats: message %q has %d bytes with its headers, and the server takes %d (max_payload)", msg.UUID, size, most)
		}
	}
	return encoded, nil
}

// chunk is how many of the messages go out together.
func chunk(messages []*natsgo.Msg) int {
	n := 0
	for size := int64(0); n < len(messages) && n < publishChunk && size < publishBytes; n++ {
		size += wireSize(messages[n])
	}
	return n
}

// wireSize is what the server's max_payload counts.
func wireSize(msg *natsgo.Msg) int64 {
	n := len(msg.Data) + len("NATS/1.0\r\n\r\n")
	for name, values := range msg.Header {
		for _, value := range values {
			n += len(name) + len(value) + len(": \r\n")
		}
	}
	return int64(n)
}

// send publishes a chunk. If there turns out to be no stream, it creates one, and publishes what has none.
func (p *publisher) send(ctx context.Context, topic string, messages []*natsgo.Msg) error {
	ctx, done := p.backend.call(ctx)
	defer done()
	if _, err := p.backend.streamName(ctx, topic); err != nil {
		if _, _, err := p.backend.stream(ctx, topic); err != nil {
			return p.backend.failure(ctx, err, "find the stream of %q", topic)
		}
	}
	homeless, err := p.try(ctx, messages)
	if err == nil && len(homeless) > 0 {
		p.backend.forget(topic)
		if _, _, err := p.backend.stream(ctx, topic); err != nil {
			return p.backend.failure(ctx, err, "find the stream of %q", topic)
		}
		if homeless, err = p.try(ctx, homeless); err == nil && len(homeless) > 0 {
			err = jetstream.ErrNoStreamResponse
		}
	}
	return p.backend.failure(ctx, err, "publish")
}

// try publishes messages and waits for all answers. It returns those that no stream took, and the first other error.
func (p *publisher) try(ctx context.Context, messages []*natsgo.Msg) (homeless []*natsgo.Msg, first error) {
	futures := make([]jetstream.PubAckFuture, 0, len(messages))
	for _, msg := range messages {
		future, err := p.backend.js.PublishMsgAsync(msg, jetstream.WithRetryAttempts(0))
		if err != nil {
			first = err
			break
		}
		futures = append(futures, future)
	}
	for n, future := range futures {
		var err error
		select {
		case <-future.Ok():
		case err = <-future.Err():
		case <-ctx.Done():
			return nil, errors.Join(first, ctx.Err())
		}
		switch {
		case errors.Is(err, jetstream.ErrNoStreamResponse):
			homeless = append(homeless, messages[n])
		case err != nil && first == nil:
			first = err
		}
	}
	return homeless, first
}

// unretried makes an error of the broker one that is waited out: a message that was handled well must not end in the DLQ because of a
// password or a full disk. Only what will never fit is Invalid.
func unretried(err error) error {
	if fault.KindOf(err) == fault.Invalid && fault.Of(err).Code != "too_large" {
		return &fault.Error{Kind: fault.Unavailable, Err: err}
	}
	return err
}

// Close makes later calls fail, and waits for those under way.
func (p *publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	return nil
}
