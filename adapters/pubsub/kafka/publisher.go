package kafka

import (
	"context"
	"errors"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"leat/handlers/fault"
)

// publishing are the options of a client that publishes. Records go out as soon as the broker takes them, and all replicas
// in sync have them before the call returns. A record that is cut off from the broker fails with its context; it may
// have arrived.
func publishing(config *Config) []kgo.Opt {
	return []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
		kgo.ProducerBatchMaxBytes(int32(config.MaxMessageBytes)),
		kgo.ProduceRequestTimeout(config.Timeout),
		kgo.RecordDeliveryTimeout(config.Timeout),
		kgo.AllowIdempotentProduceCancellation(),
	}
}

// publisher publishes through the client of the backend.
type publisher struct {
	backend *Backend

	mu      sync.RWMutex
	stopped bool
}

// Publish publishes the messages, all at once, in the format of the stock adapter, without a key. It returns when all
// replicas in sync have them. The context of the first message bounds the call, and broker.kafka.timeout. A topic that does
// not exist is created.
//
// After an error, some of the messages may have arrived. Errors are of kind Invalid when a message uses the reserved metadata
// key, is too large, or the topic cannot be a name: nothing is published unless it was the broker that found a message too large.
// They are of kind Unavailable when the broker does not serve, Canceled when the context or the publisher was ended.
func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.stopped {
		return errClosed
	}
	if len(messages) == 0 {
		return nil
	}
	if err := checkName(topic); err != nil {
		return err
	}
	records := make([]*kgo.Record, len(messages))
	for n, msg := range messages {
		var err error
		if records[n], err = encode(topic, msg); err != nil {
			return err
		}
		if n := int64(size(records[n])); n > p.backend.config.MaxMessageBytes {
			return p.tooLarge(topic, msg.UUID, n, nil)
		}
	}
	ctx, cancel := context.WithTimeout(messages[0].Context(), p.backend.config.Timeout)
	defer cancel()
	return p.send(ctx, topic, records)
}

// Close makes later calls fail, and waits for those under way.
func (p *publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	return nil
}

func (p *publisher) send(ctx context.Context, topic string, records []*kgo.Record) error {
	if err := p.backend.topics.ensure(ctx, topic); err != nil {
		return failure(err, "publish to %q: find or create the topic", topic)
	}
	failed, gone, first := 0, false, error(nil)
	for _, result := range p.backend.client.ProduceSync(ctx, records...) {
		switch err := result.Err; {
		case err == nil:
			continue
		case errors.Is(err, kerr.MessageTooLarge):
			return p.tooLarge(topic, decode(result.Record).UUID, int64(size(result.Record)), err)
		case missing(err):
			gone = true
		}
		if failed++; first == nil {
			first = result.Err
		}
	}
	if gone { // deleted meanwhile: the next call creates it; the client would stick to the id that the topic had
		p.backend.topics.forget(topic)
		p.backend.client.PurgeTopicsFromProducing(topic)
	}
	return failure(first, "publish to %q: %d of %d messages", topic, failed, len(records))
}

func (p *publisher) tooLarge(topic, uuid string, bytes int64, cause error) error {
	const hint = "raise broker.kafka.max_message_bytes, and max.message.bytes of the topic"
	if cause != nil {
		return fault.Invalidf("too_large", "kafka: message %q of about %d bytes is too large for the topic %q: %w (%s)", uuid, bytes, topic, cause, hint)
	}
	return fault.Invalidf("too_large", "kafka: message %q of about %d bytes for the topic %q exceeds broker.kafka.max_message_bytes, %d (%s)",
		uuid, bytes, topic, p.backend.config.MaxMessageBytes, hint)
}

var _ message.Publisher = (*publisher)(nil)
