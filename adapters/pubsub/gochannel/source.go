package gochannel

import (
	"context"
	"iter"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

// fetchWait is how long a read waits for messages.
const fetchWait = time.Second

// source is one subscription of a group to a topic.
type source struct {
	*inflight.Subscription[*entry]
	topic     *topic
	group     *group // nil until it is prepared
	namespace string // what the subscription calls its source
}

var _ inflight.Source[*entry] = (*source)(nil)

// Prepare implements inflight.Source.
func (s *source) Prepare(context.Context) error {
	s.group = s.topic.group(s.Group)
	s.group.join()
	return nil
}

// Fetch implements inflight.Source.
func (s *source) Fetch(ctx context.Context) error {
	room := s.Room(ctx, s.InFlight, fetchWait)
	if room == 0 {
		return nil
	}
	entries := s.group.take(room, s)
	if entries == nil && s.await(ctx) {
		entries = s.group.take(room, s)
	}
	items := make([]*inflight.Item[*entry], len(entries))
	for n, e := range entries {
		items[n] = &inflight.Item[*entry]{
			Entry: e, ID: strconv.FormatUint(e.sequence, 10), Source: s.namespace,
			Deliveries: 1, Size: e.size, PublishedAt: strconv.FormatInt(e.at.UnixMilli(), 10),
		}
	}
	s.Take(room, pubsub.EventRead, items...)
	return nil
}

// await waits until something waits for the group. It reports false if there is nothing in time.
func (s *source) await(ctx context.Context) bool {
	timer := time.NewTimer(fetchWait)
	defer timer.Stop()
	select {
	case <-s.group.more:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// Message implements inflight.Source.
func (s *source) Message(item *inflight.Item[*entry]) *message.Message { return item.Entry.message() }

// Ack implements inflight.Source.
func (s *source) Ack(_ context.Context, items []*inflight.Item[*entry]) error {
	s.group.ack(s, entriesOf(items))
	return nil
}

// Return implements inflight.Source.
func (s *source) Return(_ context.Context, items []*inflight.Item[*entry]) error {
	if len(items) > 0 {
		s.group.giveBack(s, entriesOf(items))
	}
	return nil
}

func entriesOf(items []*inflight.Item[*entry]) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, it := range items {
			if !yield(it.Entry) {
				return
			}
		}
	}
}

// Keep implements inflight.Source: nobody takes away what is held.
func (s *source) Keep(context.Context) {}

// Close implements inflight.Source. What handlers have not finished by now waits for the group again.
func (s *source) Close(context.Context) error {
	if s.group != nil {
		s.group.leave(s)
	}
	return nil
}

// Consumer implements inflight.Source.
func (s *source) Consumer() string { return "gochannel" }
