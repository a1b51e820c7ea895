package pubsubtest

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

// source reads a topic of the broker in memory. The entry of an item is the index of its message.
type source struct {
	*inflight.Subscription[int]
	*backend
	topic, group, namespace string

	failed  bool                  // a fault: it does not come back after an outage
	ended   bool                  // a fault: a malformed message ended it
	unsaved []*inflight.Item[int] // a fault: acks that the broker has not heard of
	mu      sync.Mutex
}

func (s *source) Prepare(context.Context) error {
	if err := s.link.err(); err != nil {
		return err
	}
	s.memory.do(func() { s.memory.cursor(s.topic, s.group) })
	return nil
}

func (s *source) Fetch(ctx context.Context) error {
	f := s.memory.faults
	if f.readsOn {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
	}
	if f.acksLost {
		s.save()
	}
	if s.failed || s.ended {
		<-ctx.Done()
		return nil
	}
	room := s.Room(ctx, 100, time.Second)
	if room == 0 {
		return nil
	}
	items, err := s.wait(ctx, room)
	s.Take(room, pubsub.EventRead, items...)
	s.failed = err != nil && f.outageKills
	return err
}

// wait waits for messages, up to a second.
func (s *source) wait(ctx context.Context, room int) ([]*inflight.Item[int], error) {
	most := time.Second
	if s.memory.faults.readsOn {
		most = time.Minute
	}
	end := time.NewTimer(most)
	defer end.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		changed := s.memory.changes()
		if err := s.link.err(); err != nil {
			return nil, err
		}
		if items := s.items(s.memory.lend(s, room)); len(items) > 0 {
			return items, nil
		}
		select {
		case <-changed:
		case <-look.C:
		case <-end.C:
			return nil, nil
		case <-ctx.Done():
			return nil, nil
		}
	}
}

func (s *source) items(indexes []int) (items []*inflight.Item[int]) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	c, f := s.memory.cursor(s.topic, s.group), s.memory.faults
	for _, i := range indexes {
		it := &inflight.Item[int]{Entry: i, ID: s.memory.position(i, c.lent[i]), Source: s.namespace + ":" + s.topic, Deliveries: c.counts[i], Size: 100}
		if f.uncounted {
			it.Deliveries = 1
		}
		if !f.twice && s.Again(it.Source, it.ID) {
			continue
		}
		if s.memory.topic(s.topic).log[i].malformed {
			if f.malformedEnds {
				s.ended = true
				return items
			}
			if f.malformedDropped {
				continue
			}
			it.Malformed = "made so"
		}
		items = append(items, it)
	}
	return items
}

func (s *source) Message(it *inflight.Item[int]) *message.Message {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return s.memory.topic(s.topic).log[it.Entry].message.Copy()
}

func (s *source) Ack(_ context.Context, items []*inflight.Item[int]) error {
	if err := s.link.err(); err != nil {
		return err
	}
	s.mu.Lock()
	s.unsaved = append(s.unsaved, items...)
	s.mu.Unlock()
	if !s.memory.faults.acksLost {
		s.save()
	}
	return nil
}

func (s *source) save() {
	s.mu.Lock()
	items := s.unsaved
	s.unsaved = nil
	s.mu.Unlock()
	s.memory.do(func() {
		for _, it := range items {
			delete(s.memory.cursor(s.topic, s.group).pending, it.Entry)
		}
	})
}

func (s *source) Return(_ context.Context, items []*inflight.Item[int]) error {
	if err := s.link.err(); err != nil {
		return err
	}
	if s.memory.faults.keepsAtClose {
		return nil
	}
	s.memory.do(func() {
		c := s.memory.cursor(s.topic, s.group)
		for _, it := range items {
			if loan := c.pending[it.Entry]; loan != nil && loan.holder == s {
				delete(c.pending, it.Entry)
				c.counts[it.Entry]--
				c.returned = append(c.returned, it.Entry)
			}
		}
	})
	return nil
}

// Keep extends what is held.
func (s *source) Keep(ctx context.Context) {
	if s.memory.faults.keepsNothing {
		return
	}
	tick := time.NewTicker(ackWait / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if s.link.err() != nil {
			continue
		}
		held := s.Held(s.namespace + ":" + s.topic)
		s.memory.do(func() {
			c := s.memory.cursor(s.topic, s.group)
			for i, loan := range c.pending {
				if _, ok := held[s.memory.position(i, c.lent[i])]; ok && loan.holder == s {
					loan.until = time.Now().Add(ackWait)
				}
			}
		})
	}
}

func (s *source) Close(context.Context) error { return nil }

func (s *source) Consumer() string { return "consumer-" + strconv.Itoa(len(s.group)) }

// doubled subscribes twice each time.
type doubled struct{ message.Subscriber }

func (d doubled) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	out := make(chan *message.Message)
	var both sync.WaitGroup
	for range 2 {
		in, err := d.Subscriber.Subscribe(ctx, topic)
		if err != nil {
			return nil, err
		}
		both.Go(func() {
			for msg := range in {
				select {
				case out <- msg:
				case <-msg.Context().Done():
				}
			}
		})
	}
	go func() { both.Wait(); close(out) }()
	return out, nil
}

// meddler stands between a subscriber and its handlers, and has its own way with nacks.
type meddler struct {
	message.Subscriber
	onNack func(original *message.Message, deliver func() *message.Message)
}

func (m *meddler) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := m.Subscriber.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for original := range in {
			deliver := func() *message.Message {
				msg := original.Copy()
				select {
				case out <- msg:
				case <-original.Context().Done():
				}
				return msg
			}
			m.onNack(original, deliver)
		}
	}()
	return out, nil
}
