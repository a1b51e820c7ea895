package redisstream

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/pubsub/inflight"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// kept is what the source keeps of an entry.
type kept struct {
	body
	extended time.Time // when Redis last saw the entry as ours
}

type (
	item         = inflight.Item[kept]
	subscription = inflight.Subscription[kept]
)

// source is one stream, read under one consumer name.
type source struct {
	*options
	subscription *subscription
	topic        string
	from         string // what positions count in
	log          *slog.Logger
	lease        *lease
	leased       chan struct{} // closed when there is a consumer name
	closed       func(*source)
	arriving     arriving

	// of the reader
	entries reader
	name    string              // whose pending entries were taken; empty before the lease
	count   int                 // of the next read
	resent  map[string]struct{} // entries held here that Redis may deliver once more
	claimAt time.Time
	// unseen tells that own pending entries may exist that are not held: at the start, after a claim
	// that failed, and after a read whose reply was lost.
	unseen, replyLost bool
}

func newSource(s *subscriber, topic string, subscription *subscription) *source {
	return &source{
		options: s.options, subscription: subscription, topic: topic, from: s.options.origin(topic), log: subscription.Log(),
		lease: newLease(s, topic, subscription.Log()), leased: make(chan struct{}), closed: s.closed,
		count: s.options.Count, unseen: true,
	}
}

// Prepare creates the group, and the stream if need be, to be read from its first entry.
func (s *source) Prepare(ctx context.Context) error {
	_, err := s.createGroup(ctx)
	if code, yes := refused(err); yes {
		return fault.Invalidf(code, "redisstream: subscribe to %q as group %q: %w", s.topic, s.Group, err)
	}
	return failure(err, "subscribe to %q", s.topic)
}

// createGroup reports whether there was no group before.
func (s *source) createGroup(ctx context.Context) (created bool, err error) {
	err = s.Client.XGroupCreateMkStream(ctx, s.topic, s.Group, "0").Err()
	if hasCode(err, "BUSYGROUP") {
		return false, nil
	}
	return err == nil, err
}

// Message implements inflight.Source.
func (s *source) Message(it *item) *message.Message {
	msg := message.NewMessage(it.Entry.uuid, it.Entry.payload)
	if it.Entry.metadata != "" {
		_ = decodeMetadata(it.Entry.metadata, msg.Metadata)
	}
	return msg
}

// Ack implements inflight.Source.
func (s *source) Ack(ctx context.Context, items []*item) error {
	args := append(make([]any, 0, 3+len(items)), "xack", s.topic, s.Group)
	for _, it := range items {
		args = append(args, &it.ID) // a pointer is an interface without an allocation
	}
	return failure(s.Client.Do(ctx, args...).Err(), "ack %d entries of %q", len(items), s.topic)
}

// Consumer implements inflight.Source.
func (s *source) Consumer() string { return s.lease.consumer() }

// Close releases the consumer name and closes the connection for reading.
func (s *source) Close(ctx context.Context) error {
	defer s.closed(s)
	if s.entries != nil {
		s.entries.close()
	}
	return failure(s.lease.release(ctx), "release the consumer name %q, which is free when its lease ends", s.lease.consumer())
}

// fill makes an item of an entry that Redis gave to this consumer just now.
func (s *source) fill(it *item, id string, values [][]byte, deliveries int, now time.Time) *item {
	it.Entry.body, it.Entry.extended = decode(values), now
	it.ID, it.Source, it.Deliveries = id, s.from, deliveries
	it.Size = len(it.Entry.payload) + len(it.Entry.metadata)
	it.PublishedAt, _, _ = strings.Cut(id, "-")
	it.Malformed = it.Entry.malformed
	return it
}

// below orders entry ids.
func below(a, b string) bool {
	p, _ := delivery.ParsePosition(a)
	q, _ := delivery.ParsePosition(b)
	return p.Less(q)
}

// after is the smallest entry id above id.
func after(id string) (string, error) {
	position, err := delivery.ParsePosition(id)
	if err != nil {
		return "", err
	}
	return position.Next().String(), nil
}
