package redisstream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"

	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

// PublisherOptions is what NewPublisher may be told.
type PublisherOptions struct {
	// Timeout bounds each round trip where the context of a call has no earlier deadline; 0 leaves that to the
	// timeouts of the client.
	Timeout time.Duration
}

// A round trip carries up to publishChunk entries, and ends with the one that makes it publishBytes long.
const (
	publishChunk = 500
	publishBytes = 4 << 20
)

// Publisher appends to Redis streams. It is safe for concurrent use.
type Publisher struct {
	client  redis.UniversalClient
	options PublisherOptions

	mu      sync.RWMutex // held for reading during a call
	stopped bool
}

var (
	_ message.Publisher    = (*Publisher)(nil)
	_ pubsub.FlatPublisher = (*Publisher)(nil)
)

// Field is a field of an entry.
type Field = pubsub.Field

// NewPublisher makes a publisher. The client is shared: the publisher never closes it.
func NewPublisher(client redis.UniversalClient, options PublisherOptions) *Publisher {
	return &Publisher{client: client, options: options}
}

// Publish appends the messages to the stream that the topic names, in order, in the envelope that
// watermill-redisstream reads. The context of the first message bounds the call.
//
// Messages go out in chunks of 500, fewer if they are large, each in one round trip. When an error is returned, the chunks before the
// failed one are in the stream; of the failed chunk, all, some or none; of the later ones, none. A chunk whose
// reply was lost may have been sent again by the client, so that the stream holds it twice. Consumers recognise
// repeats by the UUID. Errors are of kind Unavailable when Redis does not serve, Canceled when the context or
// the publisher was ended, Internal when the key is no stream, and Invalid when a message uses the reserved
// metadata key _watermill_message_uuid; nothing is published in that case.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	for _, msg := range messages {
		if msg.Metadata[uuidField] != "" {
			return fault.Invalidf("reserved_metadata", "redisstream: message %q has metadata under %s, which is reserved", msg.UUID, uuidField)
		}
	}
	return p.publish(messages[0].Context(), topic, len(messages), func(args []any, i int) []any {
		msg := messages[i]
		var metadata []byte
		if len(msg.Metadata) > 0 {
			metadata = appendMetadata(nil, msg.Metadata)
		}
		return append(args, uuidField, msg.UUID, "metadata", metadata, "payload", []byte(msg.Payload))
	})
}

// PublishFields appends entries of flat fields, in order, as Publish does. An entry without fields is of kind
// Invalid, and nothing is published.
func (p *Publisher) PublishFields(ctx context.Context, topic string, entries ...[]Field) error {
	for i, fields := range entries {
		if len(fields) == 0 {
			return fault.Invalidf("no_fields", "redisstream: entry %d has no fields", i)
		}
	}
	return p.publish(ctx, topic, len(entries), func(args []any, i int) []any {
		for _, field := range entries[i] {
			args = append(args, field.Name, field.Value)
		}
		return args
	})
}

// Close makes later calls fail, waits for those under way, and leaves the client open.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	return nil
}

// publish adds n entries; add appends the fields of the i-th to the arguments of its XADD.
func (p *Publisher) publish(ctx context.Context, topic string, n int, add func(args []any, i int) []any) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.stopped {
		return &fault.Error{Kind: fault.Canceled, Code: "closed", Err: errors.New("redisstream: the publisher is closed")}
	}
	for done := 0; done < n; {
		var cmds []redis.Cmder
		for size := 0; done+len(cmds) < n && len(cmds) < publishChunk && size < publishBytes; {
			args := add(append(make([]any, 0, 32), "xadd", topic, "*"), done+len(cmds))
			for _, arg := range args {
				size += length(arg)
			}
			cmds = append(cmds, redis.NewStringCmd(ctx, args...))
		}
		if err := p.send(ctx, cmds); err != nil {
			return failure(err, "publish to %q: %d of %d entries were added, of the next %d perhaps some", topic, done, n, len(cmds))
		}
		done += len(cmds)
	}
	return nil
}

func length(arg any) int {
	switch arg := arg.(type) {
	case string:
		return len(arg)
	case []byte:
		return len(arg)
	}
	return 0
}

func (p *Publisher) send(ctx context.Context, cmds []redis.Cmder) error {
	if p.options.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.options.Timeout)
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(cmds) == 1 {
		return p.client.Process(ctx, cmds[0])
	}
	pipe := p.client.Pipeline()
	for _, cmd := range cmds {
		_ = pipe.Process(ctx, cmd)
	}
	_, err := pipe.Exec(ctx)
	return err
}
