package nats

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	natsgo "github.com/nats-io/nats.go"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/fault"
)

type (
	item         = inflight.Item[entry]
	subscription = inflight.Subscription[entry]
)

// source reads a topic through the durable consumer of a group.
type source struct {
	backend *Backend
	topic   string
	source  atomic.Pointer[string] // what positions count in; the reader sets it
	host    string
	sub     *subscription

	// Of the reader, and of Close, which comes after it.
	durable   durable
	pull      *pull  // nil when it must be opened, after a look whether stream and consumer are there
	highest   uint64 // position that was read from this stream
	delivered uint64 // number of the consumer's last delivery
	stalled   int    // pulls in a row that the server refused for now

	ackWait chan time.Duration // tells Keep
}

func newSource(b *Backend, topic string, sub *subscription) (*source, error) {
	if err := checkTopic(topic); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fault.Internalf("host", "nats: the name of the host: %w", err)
	}
	return &source{backend: b, topic: topic, host: host, sub: sub, ackWait: make(chan time.Duration, 1)}, nil
}

// Prepare finds or creates the stream and the durable consumer.
func (s *source) Prepare(ctx context.Context) error {
	_, err := s.find(ctx)
	return err
}

// find looks whether the stream and the consumer are there, and creates what is not. It reports whether it did.
func (s *source) find(ctx context.Context) (created bool, err error) {
	ctx, done := s.backend.call(ctx)
	defer done()
	log := s.sub.Log()
	if s.durable.name != "" {
		log = slog.New(slog.DiscardHandler) // it has warned already
	}
	durable, created, err := s.backend.durable(ctx, s.topic, s.sub.Group, log)
	if err != nil {
		return false, s.backend.failure(ctx, err, "open topic %q", s.topic)
	}
	if !durable.born.Equal(s.durable.born) {
		name := sourceName(s.sub.Namespace, s.topic, durable.born)
		s.source.Store(&name)
		s.highest = 0
	}
	s.durable = durable
	select {
	case <-s.ackWait:
	default:
	}
	s.ackWait <- durable.ackWait
	return created, nil
}

const (
	// pullWait is how long the server waits for a first message.
	pullWait = 900 * time.Millisecond
	// roomWait is how long a read waits for room in the window.
	roomWait = time.Second
)

// Fetch asks for as many messages as there is room for, and takes what is there at once, or the first that come.
func (s *source) Fetch(ctx context.Context) error {
	reserved := s.sub.Room(ctx, s.durable.maxFetch, roomWait)
	if reserved == 0 {
		return nil
	}
	if err := s.open(ctx); err != nil {
		s.sub.Take(reserved, pubsub.EventRead)
		return err
	}
	ctx = begin(ctx)
	got, err := s.pull.next(ctx, reserved)
	got, unknown := s.identify(ctx, got)
	s.take(reserved, got)
	err = errors.Join(err, unknown)
	refused := s.pull.refused && len(got) == 0
	if err != nil {
		_ = s.pull.handBack()
		s.pull = nil
		if refused = errors.Is(err, errGone); !refused { // else the next round finds out, and creates what is missing
			return s.backend.failure(ctx, err, "read topic %q", s.topic)
		}
	}
	s.pause(ctx, refused)
	return nil
}

// open makes a pull where there is none. It says so if it had to create anything, which somebody has deleted.
func (s *source) open(ctx context.Context) error {
	if s.pull != nil {
		return nil
	}
	created, err := s.find(ctx)
	if err != nil {
		return err
	}
	if created {
		s.sub.Log().Warn("the stream or its durable consumer had vanished; it is created again and read from its oldest message", "stream", s.durable.stream, "consumer", s.durable.name)
	}
	s.delivered = 0
	s.pull, err = openPull(s.backend.conn, &s.durable, s.backend.config.Fetch, s.backend.config.Timeout)
	return failure(err, "read topic %q", s.topic)
}

// pause keeps the reader from asking again and again while the server refuses to hand out more: the group has max_ack_pending
// messages in hand, others wait for what is there, or the consumer moves.
func (s *source) pause(ctx context.Context, refused bool) {
	if !refused {
		s.stalled = 0
		return
	}
	s.stalled++
	timer := time.NewTimer(min(200*time.Millisecond, 5*time.Millisecond<<min(s.stalled, 6)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// take hands messages over, but those that are held here already: the server delivers again what it has not heard of for ack_wait.
func (s *source) take(reserved int, messages []*natsgo.Msg) {
	fresh := make([]*item, 0, len(messages))
	var claimed []*item
	for _, msg := range messages {
		at, ok := parsePlace(msg.Reply)
		if !ok {
			continue
		}
		seen := at.number <= s.highest
		s.highest = max(s.highest, at.number)
		if (seen || at.deliveries > 1) && s.sub.Again(s.in(), at.sequence) {
			continue
		}
		it := s.item(msg, at)
		if at.deliveries > 1 {
			claimed = append(claimed, it)
		} else {
			fresh = append(fresh, it)
		}
	}
	s.sub.Take(reserved-len(claimed), pubsub.EventRead, fresh...)
	if len(claimed) > 0 {
		s.sub.Take(len(claimed), pubsub.EventClaimed, claimed...)
	}
}

func (s *source) item(msg *natsgo.Msg, at place) *item {
	it := &item{
		Entry: decode(msg), ID: at.sequence, Source: s.in(), Deliveries: at.deliveries, Size: size(msg),
		PublishedAt: strconv.FormatInt(at.publishedAt/int64(time.Millisecond), 10),
	}
	it.Malformed = it.Entry.malformed
	return it
}

// Message implements inflight.Source.
func (s *source) Message(it *item) *message.Message {
	msg := message.NewMessage(it.Entry.uuid, it.Entry.payload)
	msg.Metadata = maps.Clone(it.Entry.metadata)
	return msg
}

// Consumer is the name of the host: the consumer of JetStream is the group, which all processes share.
func (s *source) Consumer() string { return s.host }

// Close ends the reading. The durable consumer stays.
func (s *source) Close(context.Context) error {
	if s.pull == nil {
		return nil
	}
	err := s.pull.handBack()
	s.pull = nil
	return failure(err, "end the reading of topic %q", s.topic)
}
