package redisstream

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// leastCleanup is how long a stop waits for Redis when all handlers are done, even if that was all its time.
const leastCleanup = 500 * time.Millisecond

// subscription is one Subscribe. Three goroutines work on its window: the reader fills it, the sweeper empties
// it, the keeper keeps the lease and the entries ours. run starts them, and waits for them.
type subscription struct {
	*Options
	topic  string
	origin string // what positions count in
	window *window
	lease  *lease
	outage outage
	log    *slog.Logger
	values context.Context
	stop   <-chan struct{} // the subscriber is closing

	// of the reader
	entries source
	name    string              // whose pending entries were taken
	count   int                 // of the next read
	resent  map[string]struct{} // entries in the window that Redis may deliver once more
	claimAt time.Time
	// unseen tells that own pending entries may exist that are not in the window: at the start, after a claim
	// that failed, and after a read whose reply was lost.
	unseen, replyLost bool
}

func newSubscription(ctx context.Context, s *Subscriber, topic string) *subscription {
	log := s.options.Logger.With("topic", topic, "group", s.options.Group)
	return &subscription{
		Options: &s.options, topic: topic, origin: s.options.source(topic),
		window: newWindow(s.options.InFlight, s.options.Nack),
		lease:  newLease(s, topic, log),
		outage: outage{log: log}, log: log,
		values: context.WithoutCancel(ctx),
		stop:   s.closing,
		count:  s.options.Count,
		unseen: true,
	}
}

func (s *subscription) observe(event Event, n int) {
	if n > 0 {
		s.Observe(s.topic, event, n)
	}
}

func (s *subscription) suspects() string { return suspectsKey(s.topic, s.Group) }

// createGroup creates the group, and the stream if need be, to be read from its first entry.
func (s *subscription) createGroup(ctx context.Context) error {
	err := s.Client.XGroupCreateMkStream(ctx, s.topic, s.Group, "0").Err()
	if hasCode(err, "BUSYGROUP") {
		return nil
	}
	return err
}

// run works until ctx ends or the subscriber closes, and has cleaned up when it returns. Its error tells what
// could not be told to Redis.
func (s *subscription) run(ctx context.Context) error {
	defer close(s.window.out)
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	work, stopWork := context.WithCancel(s.values)
	defer stopWork()

	var reader, workers sync.WaitGroup
	leased := make(chan struct{})
	reader.Go(func() { s.read(reading, leased) })
	workers.Go(func() { s.sweep(work) })
	workers.Go(func() { s.keep(work, leased) })

	select {
	case <-ctx.Done():
	case <-s.stop:
	}
	until := time.Now().Add(2*s.CloseTimeout + time.Second)
	stopReading()
	undelivered := s.window.withdraw()
	s.drain()
	reader.Wait()
	stopWork()
	workers.Wait()
	return s.cleanUp(undelivered, min(s.redisTimeout(), max(leastCleanup, time.Until(until))))
}

// drain waits for the handlers for CloseTimeout, and as long again, at most a second, once it has ended their
// contexts.
func (s *subscription) drain() {
	wait := func(most time.Duration) bool {
		timer := time.NewTimer(most)
		defer timer.Stop()
		look := time.NewTicker(longTick)
		defer look.Stop()
		for s.window.inFlight() > 0 {
			select {
			case <-s.window.freed:
			case <-look.C: // the sweeper may be held up by an ack that Redis does not take
				nacked, _ := s.window.sweep(time.Now())
				s.observe(EventNacked, nacked)
			case <-timer.C:
				return false
			}
		}
		return true
	}
	if wait(s.CloseTimeout) {
		return
	}
	s.window.cancel()
	if !wait(min(time.Second, s.CloseTimeout)) {
		s.log.Warn("messages are left without an outcome; they will be delivered again", "messages", s.window.inFlight())
	}
}

// cleanUp tells Redis all that is to tell when no goroutine is left, and closes the read client.
func (s *subscription) cleanUp(undelivered []*item, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(s.values, timeout)
	defer cancel()
	if s.entries != nil {
		s.entries.close()
	}
	nacked, _ := s.window.sweep(time.Now())
	s.observe(EventNacked, nacked)
	err := s.outage.retry(ctx, "ack", func() error { return s.flush(ctx) })
	if acked, _ := s.window.outcomes(); len(acked) > 0 {
		s.log.Error("acks are lost; their entries will be delivered again", "entries", len(acked), "error", err)
		return fault.Unavailablef("redisstream: %d acks of %q are lost, their entries will be delivered again: %w", len(acked), s.topic, err)
	}
	if err := s.handBack(ctx, slices.Concat(undelivered, s.window.waiting, s.window.suspects)); err != nil {
		s.log.Warn("entries were not handed back; they stay with the consumer until claim.min_idle has passed", "error", err)
	}
	if err := s.lease.release(ctx); err != nil {
		s.log.Warn("the consumer name was not released; it is free when its lease ends", "error", err)
	}
	return nil
}

// fill makes an item of an entry that Redis gave to this consumer just now.
func (s *subscription) fill(it *item, id string, values [][]byte, deliveries int, now time.Time) *item {
	it.body, it.id, it.deliveries, it.extended = decode(values), id, deliveries, now
	if it.malformed != "" {
		s.observe(EventMalformed, 1)
	}
	return it
}

// deliver hands items to the handlers. It does not block.
func (s *subscription) deliver(items ...*item) {
	consumer := s.lease.consumer()
	for _, it := range items {
		s.prepare(it, consumer)
	}
	s.window.deliver(items...)
}

// prepare makes a fresh message for the next delivery of an item.
func (s *subscription) prepare(it *item, consumer string) {
	msg := message.NewMessage(it.uuid, it.payload)
	if it.metadata != "" {
		_ = decodeMetadata(it.metadata, msg.Metadata)
		delete(msg.Metadata, delivery.KeyMalformed)
		delete(msg.Metadata, delivery.KeyExhausted)
	}
	msg.Metadata[delivery.KeySource] = s.origin
	msg.Metadata[delivery.KeyPosition] = it.id
	msg.Metadata[delivery.KeyDeliveries] = decimal(it.deliveries)
	msg.Metadata[delivery.KeyPublishedAt] = milliseconds(it.id)
	msg.Metadata[delivery.KeyConsumer] = consumer
	msg.Metadata[delivery.KeyGroup] = s.Group
	if it.malformed != "" {
		msg.Metadata[delivery.KeyMalformed] = it.malformed
	}
	if it.exhausted {
		msg.Metadata[delivery.KeyExhausted] = decimal(it.deliveries)
	}
	if it.ctx = &it.firstCtx; it.nacks > 0 {
		it.ctx = &messageContext{}
	}
	it.ctx.values = s.values
	msg.SetContext(it.ctx)
	it.msg = msg
}

func decimal(n int) string {
	if n == 1 {
		return "1"
	}
	return strconv.Itoa(n)
}

// milliseconds is the part of an entry id that tells when Redis took the entry.
func milliseconds(id string) string {
	for i := range len(id) {
		if id[i] == '-' {
			return id[:i]
		}
	}
	return id
}
