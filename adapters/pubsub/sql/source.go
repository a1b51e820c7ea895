package sql

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

// source reads one topic as one consumer of a group.
type source struct {
	backend *Backend
	name    string // of the topic
	group   string
	options pubsub.Options
	sub     *inflight.Subscription[entry]
	ear     *ear

	// The reader's own.
	count   int           // how many messages to ask for
	idle    bool          // the last read found nothing
	pause   time.Duration // until the next look, while idle
	freed   bool          // there are claims that are nobody's
	unknown bool          // claims may be ours that did not arrive here
	life    incarnation   // of the last message that was read
	in      []string      // what positions of all messages count in that were read; the last is that of life

	mu sync.Mutex
	at place
}

// place is where a source reads, once it is prepared.
type place struct {
	topic    *topic
	group    int
	consumer int       // 0: not enlisted yet
	renewed  time.Time // when the lease was last renewed
}

// quickest is the first wait of a source that has been told of messages and finds none: an older transaction, of whatever
// database of the server, hides them for a moment.
const quickest = time.Millisecond

func newSource(b *Backend, options pubsub.Options, name string, sub *inflight.Subscription[entry]) (*source, error) {
	if err := checkTopic(name); err != nil {
		return nil, err
	}
	return &source{
		backend: b, name: name, group: options.Group, options: options, sub: sub,
		ear: b.listener.listen(name), count: b.cfg.Count, pause: quickest, freed: true,
	}, nil
}

// Prepare implements inflight.Source.
func (s *source) Prepare(ctx context.Context) error {
	statement, cancel := s.backend.bounded(ctx)
	defer cancel()
	return refusal(ctx, s.enter(statement), "prepare to read %q", s.name)
}

// enter finds or makes the tables, the group and the consumer.
func (s *source) enter(ctx context.Context) error {
	topic, err := s.backend.topic(ctx, s.name)
	if err != nil {
		return err
	}
	group, err := s.backend.join(ctx, topic, s.group)
	if err != nil {
		return err
	}
	before, asked := s.place(), time.Now()
	consumer := before.consumer
	if consumer == 0 || before.group != group {
		if consumer, err = s.backend.enlist(ctx, group); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = place{topic: topic, group: group, consumer: consumer, renewed: asked}
	return nil
}

// repair makes s as it was prepared, after tables or groups have vanished or changed.
func (s *source) repair(ctx context.Context, err error) error {
	if !changed(err) {
		return err
	}
	s.backend.forget(s.name)
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.sub.Log().Warn("tables of the topic had vanished or changed; they are used as they are now", "error", err)
	return nil
}

func (s *source) place() place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// Consumer implements inflight.Source.
func (s *source) Consumer() string {
	return fmt.Sprintf("%s-%d", s.backend.cfg.Consumer, s.place().consumer)
}

// Message implements inflight.Source.
func (s *source) Message(item *inflight.Item[entry]) *message.Message { return item.Entry.message() }

// Close implements inflight.Source: what is left is free for others at once.
func (s *source) Close(ctx context.Context) error {
	s.backend.listener.leave(s.ear)
	at := s.place()
	if at.consumer == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.backend.cfg.Timeout)
	defer cancel()
	left, err := s.backend.leave(ctx, at, s.held())
	if err == nil {
		err = s.backend.raiseStock(ctx, at.topic, s.group, at.group)
	}
	if left { // others need not wait for their next look
		s.backend.notifier.ring(s.name)
	}
	return failure(ctx, err, "leave group %q of %q", s.group, s.name)
}
