package inflight

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// Subscriber is Watermill's Subscriber over any Source. It is safe for concurrent use.
type Subscriber[E any] struct {
	options Options
	open    func(topic string, s *Subscription[E]) (Source[E], error)
	closing chan struct{}
	closed  chan struct{}
	failure error // of Close; valid once closed

	mu            sync.Mutex
	stopped       bool
	subscriptions map[*Subscription[E]]struct{}
	running       sync.WaitGroup
	lost          []error
}

// NewSubscriber checks the options; errors are of kind Invalid. It does not speak to the broker, and neither does open, which
// makes the source of a topic, or refuses the topic.
func NewSubscriber[E any](options Options, open func(topic string, s *Subscription[E]) (Source[E], error)) (*Subscriber[E], error) {
	if err := options.prepare(); err != nil {
		return nil, err
	}
	return &Subscriber[E]{
		options: options, open: open,
		closing:       make(chan struct{}),
		closed:        make(chan struct{}),
		subscriptions: make(map[*Subscription[E]]struct{}),
	}, nil
}

// Subscribe reads the topic until ctx ends or the subscriber is closed; either stops
// the reading, lets the messages finish that handlers have, as Close says, and then closes the channel.
// Subscriptions to one topic share its messages.
//
// It does not wait for the broker to be up: an outage at the start is waited out like any other, in the background. What
// only a person can mend is an error of kind Invalid: wrong credentials, a missing permission, a name that cannot be a topic.
func (s *Subscriber[E]) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if topic == "" {
		return nil, fault.Invalidf("topic", "%s: the topic is empty", s.options.Backend)
	}
	subscription := newSubscription(ctx, s, topic)
	var err error
	if subscription.source, err = s.open(topic, subscription); err != nil {
		return nil, err
	}
	if err := subscription.prepareSource(ctx); err != nil {
		if ctx.Err() != nil || fault.KindOf(err) == fault.Invalid {
			return nil, errors.Join(err, subscription.source.Close(context.WithoutCancel(ctx)))
		}
		subscription.outage.begin("read", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		closed := &fault.Error{Kind: fault.Canceled, Code: "closed", Err: errors.New(s.options.Backend + ": the subscriber is closed")}
		return nil, errors.Join(closed, subscription.source.Close(context.WithoutCancel(ctx)))
	}
	s.subscriptions[subscription] = struct{}{}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		err := subscription.run(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		if subscription.window.inFlight() == 0 { // else handlers are still at it: floors must not pass them
			delete(s.subscriptions, subscription)
		}
		if err != nil {
			s.lost = append(s.lost, err)
		}
	}()
	return subscription.window.out, nil
}

// Close stops all subscriptions and waits for them. It may be called often and concurrently; all calls return
// the same.
//
// What no handler has received is handed back to the broker. Messages that handlers have may finish within
// CloseTimeout; then their contexts end, and they have as long again, at most a second. Everything that was acked is
// acked in the broker before Close returns, and everything that was nacked is handed back.
//
// If the broker is away or hangs, Close gives up after CloseTimeout more (at least half a second, at most 5 s), and
// returns an error of kind Unavailable that says how many acks are lost: those messages will be delivered again.
func (s *Subscriber[E]) Close() error {
	s.mu.Lock()
	first := !s.stopped
	s.stopped = true
	s.mu.Unlock()
	if first {
		close(s.closing)
		s.running.Wait()
		s.failure = errors.Join(s.lost...)
		close(s.closed)
	}
	<-s.closed
	return s.failure
}

// Lowest returns, for each source of the topic of which something is held here, the smallest position. An item is held from
// Take until its ack is confirmed.
func (s *Subscriber[E]) Lowest(topic string) map[string]delivery.Position {
	low := make(map[string]delivery.Position)
	for _, subscription := range s.of(topic) {
		subscription.window.lowest(low)
	}
	return low
}

// Oldest returns when the message of the topic arrived that has been held here for longest; zero if nothing is held.
func (s *Subscriber[E]) Oldest(topic string) (oldest time.Time) {
	for _, subscription := range s.of(topic) {
		if t := subscription.window.oldest(); !t.IsZero() && (oldest.IsZero() || t.Before(oldest)) {
			oldest = t
		}
	}
	return oldest
}

// InHand returns how many messages of the topic are held here.
func (s *Subscriber[E]) InHand(topic string) (n int) {
	for _, subscription := range s.of(topic) {
		subscription.window.all(func(*Item[E]) { n++ })
	}
	return n
}

func (s *Subscriber[E]) of(topic string) (subscriptions []*Subscription[E]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for subscription := range s.subscriptions {
		if subscription.topic == topic {
			subscriptions = append(subscriptions, subscription)
		}
	}
	return subscriptions
}
