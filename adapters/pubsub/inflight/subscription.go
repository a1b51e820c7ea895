package inflight

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// leastCleanup is how long a stop waits for the broker when all handlers are done, even if that was all its time.
const leastCleanup = 500 * time.Millisecond

// Subscription is one Subscribe. Three goroutines work on its window: the reader fills it, the sweeper empties
// it, and the source's Keep keeps what is held ours. run starts them, and waits for them.
type Subscription[E any] struct {
	*Options
	topic  string
	source Source[E]
	notes  pubsub.Notes
	window *window[E]
	outage outage
	log    *slog.Logger
	values context.Context
	stop   <-chan struct{} // the subscriber is closing
	ready  chan struct{}   // closed when the source was prepared
}

func newSubscription[E any](ctx context.Context, s *Subscriber[E], topic string) *Subscription[E] {
	log := s.options.Logger.With("broker", s.options.Backend, "topic", topic, "group", s.options.Group)
	sub := &Subscription[E]{
		Options: &s.options, topic: topic,
		window: newWindow[E](s.options.InFlight, s.options.Nack, s.options.MaxHold),
		outage: outage{log: log}, log: log,
		values: context.WithoutCancel(ctx),
		stop:   s.closing,
		ready:  make(chan struct{}),
	}
	if s.options.Notes != nil {
		sub.notes = s.options.Notes(topic)
	}
	return sub
}

// Topic is what the subscription reads.
func (s *Subscription[E]) Topic() string { return s.topic }

// Log is the logger of the subscription.
func (s *Subscription[E]) Log() *slog.Logger { return s.log }

func (s *Subscription[E]) observe(event pubsub.Event, n int) {
	if n > 0 {
		s.Observe(s.topic, event, n)
	}
}

// prepareSource prepares the source unless it is.
func (s *Subscription[E]) prepareSource(ctx context.Context) error {
	select {
	case <-s.ready:
		return nil
	default:
	}
	err := s.source.Prepare(ctx)
	if err == nil {
		close(s.ready)
	}
	return err
}

// run works until ctx ends or the subscriber closes, and has cleaned up when it returns. Its error tells what
// could not be told to the broker.
func (s *Subscription[E]) run(ctx context.Context) error {
	defer close(s.window.out)
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	work, stopWork := context.WithCancel(s.values)
	defer stopWork()

	var reader, workers sync.WaitGroup
	reader.Go(func() { s.read(reading) })
	workers.Go(func() { s.sweep(work) })
	workers.Go(func() {
		select {
		case <-s.ready:
			s.source.Keep(work)
		case <-work.Done():
		}
	})

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
	return s.cleanUp(undelivered, min(s.cleanupTimeout(), max(leastCleanup, time.Until(until))))
}

// read is the reader: it prepares the source, then runs suspects and fetches in turn until ctx ends.
func (s *Subscription[E]) read(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		err := s.turn(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			s.outage.end("read")
		default:
			s.outage.begin("read", err)
			_ = sleep(ctx, retryDelay(failures))
			failures++
		}
	}
}

// turn does one round of the reader's work.
func (s *Subscription[E]) turn(ctx context.Context) error {
	if s.Gate != nil && s.Gate.Wait(ctx) != nil {
		return nil
	}
	if err := s.prepareSource(ctx); err != nil {
		return err
	}
	if err := s.runSuspects(ctx); err != nil {
		return err
	}
	return s.source.Fetch(ctx)
}

// drain waits for the handlers for CloseTimeout, and as long again, at most a second, once it has ended their
// contexts.
func (s *Subscription[E]) drain() {
	wait := func(most time.Duration) bool {
		timer := time.NewTimer(most)
		defer timer.Stop()
		look := time.NewTicker(longTick)
		defer look.Stop()
		for s.window.inFlight() > 0 {
			select {
			case <-s.window.freed:
			case <-look.C: // the sweeper may be held up by an ack that the broker does not take
				nacked, _ := s.window.sweep(time.Now())
				s.observe(pubsub.EventNacked, nacked)
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

// cleanUp tells the broker all that is to tell when no goroutine is left, and closes the source.
func (s *Subscription[E]) cleanUp(undelivered []*Item[E], timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(s.values, timeout)
	defer cancel()
	defer func() {
		if err := s.source.Close(ctx); err != nil {
			s.log.Warn("the subscription did not end cleanly", "error", err)
		}
	}()
	nacked, _ := s.window.sweep(time.Now())
	s.observe(pubsub.EventNacked, nacked)
	err := s.outage.retry(ctx, "ack", func() error { return s.flush(ctx) })
	if acked, _ := s.window.outcomes(); len(acked) > 0 {
		s.log.Error("acks are lost; their messages will be delivered again", "messages", len(acked), "error", err)
		return fault.Unavailablef("%s: %d acks of %q are lost, their messages will be delivered again: %w", s.Backend, len(acked), s.topic, err)
	}
	if err := s.handBack(ctx, slices.Concat(undelivered, s.window.waiting, s.window.suspects, s.window.overdue)); err != nil {
		s.log.Warn("messages were not handed back; the broker delivers them again in its own time", "error", err)
	}
	return nil
}

// handBack frees items that nobody has handled. A suspect among them has not run: its note goes first.
func (s *Subscription[E]) handBack(ctx context.Context, items []*Item[E]) error {
	items = slices.DeleteFunc(items, func(it *Item[E]) bool { return it.lost })
	var marks []string
	for _, it := range items {
		if it.marked && !it.exhausted {
			marks = append(marks, it.ID)
		}
	}
	if len(marks) > 0 {
		if err := s.notes.Forget(ctx, marks...); err != nil {
			return err
		}
	}
	if err := s.source.Return(ctx, items); err != nil {
		return err
	}
	s.observe(pubsub.EventReturned, len(items))
	return nil
}

// prepare makes a fresh message for the next delivery of an item.
func (s *Subscription[E]) prepare(it *Item[E], consumer string) {
	msg := s.source.Message(it)
	set := func(key, value string) {
		if value == "" { // a producer's own value would tell of another delivery
			delete(msg.Metadata, key)
			return
		}
		msg.Metadata[key] = value
	}
	position, exhausted := "", ""
	if s.Positions {
		position = it.ID
	}
	if it.exhausted {
		exhausted = decimal(it.Deliveries)
	}
	set(delivery.KeySource, it.Source)
	set(delivery.KeyPosition, position)
	set(delivery.KeyDeliveries, decimal(it.Deliveries))
	set(delivery.KeyPublishedAt, it.PublishedAt)
	set(delivery.KeyConsumer, consumer)
	set(delivery.KeyGroup, s.Group)
	set(delivery.KeyMalformed, it.Malformed)
	set(delivery.KeyExhausted, exhausted)
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

var _ message.Subscriber = (*Subscriber[int])(nil)
