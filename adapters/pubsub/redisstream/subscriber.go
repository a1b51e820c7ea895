package redisstream

import (
	"context"
	"errors"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"

	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

// Subscriber reads Redis streams as one consumer group. It is safe for concurrent use.
type Subscriber struct {
	options Options
	names   names
	closing chan struct{}
	closed  chan struct{}
	failure error // of Close; valid once closed

	mu            sync.Mutex
	stopped       bool
	subscriptions map[*subscription]struct{}
	running       sync.WaitGroup
	lost          []error
}

var (
	_ message.Subscriber = (*Subscriber)(nil)
	_ pubsub.FloorReader = (*Subscriber)(nil)
	_ pubsub.LagReader   = (*Subscriber)(nil)
)

// Capabilities is what streams can do: every message has a position, and may be held for as long as need be.
var Capabilities = pubsub.Capabilities{Positions: true}

var errClosed = &fault.Error{Kind: fault.Canceled, Code: "closed", Err: errors.New("redisstream: the subscriber is closed")}

// NewSubscriber checks the options. It does not speak to Redis. Errors are of kind Invalid.
func NewSubscriber(options Options) (*Subscriber, error) {
	if err := options.prepare(); err != nil {
		return nil, err
	}
	return &Subscriber{
		options:       options,
		names:         names{held: make(map[string]struct{})},
		closing:       make(chan struct{}),
		closed:        make(chan struct{}),
		subscriptions: make(map[*subscription]struct{}),
	}, nil
}

// Subscribe reads the stream that the topic names until ctx ends or the subscriber is closed; either stops
// the reading, lets the messages finish that handlers have, as Close says, and then closes the channel.
// Subscriptions to one stream share its entries, each under its own consumer name.
//
// It does not wait for Redis to be up: an outage at the start is waited out like any other, in the background.
// A stream or group that does not exist is created, and the group reads from the first entry. What only a
// person can mend is an error of kind Invalid: wrong credentials, missing permission, a key that is no stream.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if _, cluster := s.options.Client.(*redis.ClusterClient); topic == "" || cluster && !taggable(topic) {
		return nil, fault.Invalidf("topic", "redisstream: %q cannot be a topic: it is empty, or has a brace that is no hash tag", topic)
	}
	subscription := newSubscription(ctx, s, topic)
	if err := subscription.createGroup(ctx); err != nil {
		if code, yes := refused(err); yes {
			return nil, fault.Invalidf(code, "redisstream: subscribe to %q as group %q: %w", topic, s.options.Group, err)
		}
		if ctx.Err() != nil {
			return nil, failure(ctx.Err(), "subscribe to %q", topic)
		}
		subscription.outage.begin("read", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, errClosed
	}
	s.subscriptions[subscription] = struct{}{}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		err := subscription.run(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		if subscription.window.inFlight() == 0 { // else handlers are still at it: Floors must not pass them
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
// Reading stops within Config.Block, or half a second later if the server hangs. What no handler has received is
// handed back to Redis, and does not count as a delivery. Messages that handlers have may finish within
// CloseTimeout; then their contexts end, and they have as long again, at most a second. Everything that was acked is
// acked in Redis before Close returns, and everything that was nacked is handed back. What has no outcome stays
// pending under the consumer's name, and is delivered again when the name comes back or claim.min_idle has passed.
//
// If Redis is away or hangs, Close gives up after CloseTimeout more (at least half a second, at most 5 s), and
// returns an error of kind Unavailable that says how many acks are lost: those entries will be delivered again.
// Close takes no longer than twice CloseTimeout and 2 s, if the client has ContextTimeoutEnabled.
func (s *Subscriber) Close() error {
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
