package amqp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

// fetchWait is how long one read waits.
const fetchWait = time.Second

// source is one topic, read for one group.
type source struct {
	backend      *Backend
	names        names
	source       string
	subscription *inflight.Subscription[entry]

	link atomic.Pointer[link] // nil while there is none

	turn    sync.Mutex // held while somebody reads, or hands back what nobody has taken
	begin   sync.Once
	begun   chan struct{}   // closed by the first read
	reading context.Context // of all reads; valid once begun
}

var _ inflight.Source[entry] = (*source)(nil)

func newSource(backend *Backend, names names, name string, subscription *inflight.Subscription[entry]) *source {
	return &source{backend: backend, names: names, source: name, subscription: subscription, begun: make(chan struct{})}
}

// Consumer implements inflight.Source.
func (s *source) Consumer() string { return s.backend.host }

// Prepare implements inflight.Source: from now on, what is published waits for the group.
func (s *source) Prepare(ctx context.Context) error {
	conn, err := s.backend.reading.get(ctx)
	if err != nil {
		return err
	}
	return s.failure(conn.subscribed(ctx, s.names, s.backend.config.Queue.Type))
}

func (s *source) failure(err error) error { return failure(err, "read %q", s.names.queue) }

// Fetch implements inflight.Source. The server pushes; Fetch takes what has come.
func (s *source) Fetch(ctx context.Context) error {
	s.begin.Do(func() { s.reading = ctx; close(s.begun) })
	s.turn.Lock()
	defer s.turn.Unlock()
	link, err := s.connect(ctx)
	if err != nil {
		return err
	}
	return s.take(ctx, link)
}

// connect returns a link that consumes.
func (s *source) connect(ctx context.Context) (*link, error) {
	current := s.link.Load()
	if current == nil {
		if err := s.Prepare(ctx); err != nil {
			return nil, err
		}
		conn, err := s.backend.reading.get(ctx)
		if err != nil {
			return nil, err
		}
		current, err = openLink(ctx, conn, s.backend.host, s.backend.config.InFlight, s.names.queue, s.names.topic)
		if err != nil {
			return nil, s.failure(err)
		}
		s.link.Store(current)
	}
	if err := current.consume(ctx); err != nil {
		s.drop(ctx, current)
		return nil, s.failure(err)
	}
	return current, nil
}

// take waits for deliveries and hands them on, as many as there is room for.
func (s *source) take(ctx context.Context, link *link) error {
	room := s.subscription.Room(ctx, s.subscription.InFlight, fetchWait)
	if room == 0 {
		s.release(s.backend.config.Timeout)
		return s.alive(ctx, link)
	}
	timer := time.NewTimer(fetchWait)
	defer timer.Stop()
	for {
		if err := s.alive(ctx, link); err != nil {
			s.subscription.Take(room, pubsub.EventRead)
			return err
		}
		if arrived := link.inbox.take(room); len(arrived) > 0 {
			s.handOn(room, link, arrived)
			return nil
		}
		select {
		case <-link.inbox.more:
		case <-timer.C:
			s.subscription.Take(room, pubsub.EventRead)
			return nil
		case <-ctx.Done():
			s.subscription.Take(room, pubsub.EventRead)
			return nil
		}
	}
}

// errCancelled is why a consumer has ended on a channel that has not.
var errCancelled = errors.New("the server ended the consumer: was the queue deleted? It is declared again")

// alive returns an error if the link is dead or has lost a consumer. What it brought is the server's again.
func (s *source) alive(ctx context.Context, link *link) error {
	if !link.inbox.hasEnded() && !link.channel.IsClosed() {
		return nil
	}
	err := link.failure()
	if err == nil {
		err = errCancelled
	}
	s.drop(ctx, link)
	return s.failure(err)
}

// handOn makes items of the arrivals.
func (s *source) handOn(room int, link *link, arrived []arrival) {
	var fresh, again []*inflight.Item[entry]
	for n := range arrived {
		it := new(inflight.Item[entry]) // of its own, or one that is held would keep all that came with it
		s.fill(it, link, arrived[n])
		if arrived[n].delivery.Redelivered {
			again = append(again, it)
		} else {
			fresh = append(fresh, it)
		}
	}
	if len(again) > 0 {
		s.subscription.Take(len(again), pubsub.EventClaimed, again...)
	}
	s.subscription.Take(room-len(again), pubsub.EventRead, fresh...)
	if s.link.Load() != link { // an ack found out that it is dead
		s.lose(link)
	}
}

func (s *source) fill(it *inflight.Item[entry], link *link, a arrival) {
	it.Entry = entry{link: link, tag: a.delivery.DeliveryTag, delivery: a.delivery}
	it.Source = s.source
	it.Deliveries = deliveries(&a.delivery)
	it.Size = sizeOf(&a.delivery)
	it.PublishedAt = publishedAt(&a.delivery)
	if it.Deliveries > s.subscription.MaxDeliveries {
		it.ID = lasting(it)
		return
	}
	var id [40]byte
	b := strconv.AppendUint(id[:0], link.generation, 10)
	b = strconv.AppendUint(append(b, '-'), a.delivery.DeliveryTag, 10)
	it.ID = string(b)
}

// lasting returns a name by which a message is known in its next delivery too, as the notes of suspects need it.
func lasting(it *inflight.Item[entry]) string {
	if uuid := uuidOf(&it.Entry.delivery); uuid != "" {
		return uuid
	}
	sum := sha256.Sum256(it.Entry.delivery.Body)
	return "sha256-" + hex.EncodeToString(sum[:])
}

// Message implements inflight.Source.
func (s *source) Message(it *inflight.Item[entry]) *message.Message {
	return decode(&it.Entry.delivery)
}

// drop gives up a link that is dead or of no use. What it brought is the server's to deliver again.
func (s *source) drop(ctx context.Context, link *link) {
	if !s.link.CompareAndSwap(link, nil) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
	defer cancel()
	_ = link.close(ctx)
	s.lose(link)
}

func (s *source) lose(link *link) {
	s.subscription.Lose(func(it *inflight.Item[entry]) bool { return it.Entry.link == link })
}
