package sql

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

// A statement inserts up to publishChunk messages, and ends with the one that makes it publishBytes long.
const (
	publishChunk = 1000
	publishBytes = 4 << 20
)

// publisher appends to the tables of topics. It is safe for concurrent use.
type publisher struct {
	backend *Backend
	closed  atomic.Bool
}

// Publisher implements pubsub.Backend. Topics are created when they are first published to.
func (b *Backend) Publisher() pubsub.Publisher {
	p := &publisher{backend: b}
	return struct {
		message.Publisher
		pubsub.FlatPublisher
	}{p, pubsub.Flat{Publisher: p}}
}

// chunk is what one statement inserts.
type chunk struct {
	uuids     []string
	payloads  [][]byte
	metadatas []string
	size      int
}

// Publish appends the messages to the topic, in order, in rows that the stock subscriber reads. The context of the first message bounds
// the call.
//
// Messages go out in chunks of 1000, fewer if they are large; each is committed before the next is sent. When an error is returned, the
// chunks before the failed one are in the topic; the failed one is, or is not, as a whole. Errors are of kind Invalid when the topic or a message
// is something that PostgreSQL cannot hold, or that the payload column of an existing table does not take: where the message itself tells,
// nothing is published. They are Canceled when the context or the publisher was ended, otherwise Unavailable.
func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	if p.closed.Load() {
		return &fault.Error{Kind: fault.Canceled, Code: "closed", Err: errors.New("sql: the publisher is closed")}
	}
	if len(messages) == 0 {
		return nil
	}
	if err := checkTopic(topic); err != nil {
		return err
	}
	chunks, err := split(messages)
	if err != nil {
		return err
	}
	ctx, done := messages[0].Context(), 0
	defer func() {
		if done > 0 {
			p.backend.notifier.ring(topic)
		}
	}()
	for _, chunk := range chunks {
		if err := p.insert(ctx, topic, chunk); err != nil {
			return failure(ctx, err, "publish to %q: %d of %d messages were added, of the next %d all or none", topic, done, len(messages), len(chunk.uuids))
		}
		done += len(chunk.uuids)
	}
	return nil
}

// Close makes later calls fail. Those under way are the backend's.
func (p *publisher) Close() error {
	p.closed.Store(true)
	return nil
}

func split(messages []*message.Message) ([]*chunk, error) {
	var chunks []*chunk
	var last *chunk
	for _, msg := range messages {
		metadata, err := encode(msg)
		if err != nil {
			return nil, err
		}
		if last == nil || len(last.uuids) == publishChunk || last.size >= publishBytes {
			last = &chunk{}
			chunks = append(chunks, last)
		}
		payload := []byte(msg.Payload)
		if payload == nil {
			payload = []byte{}
		}
		last.uuids = append(last.uuids, msg.UUID)
		last.payloads = append(last.payloads, payload)
		last.metadatas = append(last.metadatas, string(metadata))
		last.size += len(payload) + len(metadata)
	}
	return chunks, nil
}

// insert adds one chunk. The offsets of a statement's rows ascend in the order of the arrays.
func (p *publisher) insert(ctx context.Context, name string, chunk *chunk) error {
	ctx, cancel := context.WithTimeout(ctx, p.backend.cfg.Timeout)
	defer cancel()
	for again := false; ; again = true {
		topic, err := p.backend.topic(ctx, name)
		if err != nil {
			return err
		}
		_, err = p.backend.pool.Exec(ctx, topic.insert(), chunk.uuids, chunk.payloads, chunk.metadatas)
		switch {
		case changed(err) && !again:
			p.backend.forget(name)
			continue
		case hasCode(err, "22P02", "22021", "22P05") && topic.payload != "bytea":
			return fault.Invalidf("payload", "sql: table %s keeps payloads as %s, and a payload is not: %w (ALTER the column to BYTEA)", topic.messages, topic.payload, err)
		}
		return err
	}
}

func (t *topic) insert() string {
	return fmt.Sprintf(`INSERT INTO %s (uuid, payload, metadata, transaction_id)
		SELECT u, %s, m::%s, pg_current_xact_id() FROM unnest($1::text[], $2::bytea[], $3::text[]) WITH ORDINALITY AS t (u, p, m, n) ORDER BY n`,
		t.messages, t.payloadCast("p"), t.metadata)
}
