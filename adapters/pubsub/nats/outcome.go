package nats

import (
	"context"
	"errors"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"leat/handlers/fault"
)

var (
	ack      = []byte("+ACK")
	nak      = []byte("-NAK")
	progress = []byte("+WPI")
)

// Ack sends all acks, and asks for an answer to the last one: the server handles those of one connection in turn, so it has them all
// when it answers. If the connection changed in between, they are sent again.
func (s *source) Ack(ctx context.Context, items []*item) error {
	if items = s.current(items); len(items) == 0 {
		return nil
	}
	ctx, done := s.backend.call(ctx)
	defer done()
	conn := s.backend.conn
	connection := conn.Stats().Reconnects
	last := items[len(items)-1]
	for _, it := range items[:len(items)-1] {
		if err := conn.Publish(it.Entry.reply, ack); err != nil {
			return s.backend.failure(ctx, err, "ack %d messages of %q", len(items), s.topic)
		}
	}
	err := s.confirm(ctx, last.Entry.reply)
	if err == nil && conn.Stats().Reconnects != connection {
		err = errors.New("the connection broke meanwhile")
	}
	return s.backend.failure(ctx, err, "ack %d messages of %q", len(items), s.topic)
}

// confirm sends an ack and waits until the server has it. A server does not answer the ack of a message that it has not delivered,
// as after somebody deleted the consumer and it was created again: then any answer will do, for there is nothing to ack.
func (s *source) confirm(ctx context.Context, reply string) error {
	try, done := context.WithTimeout(ctx, s.backend.config.Timeout/2)
	defer done()
	_, err := s.backend.conn.RequestWithContext(try, reply, ack)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		_, err = s.backend.conn.RequestWithContext(ctx, reply, progress)
	}
	if errors.Is(err, natsgo.ErrNoResponders) {
		return s.gone(ctx)
	}
	return err
}

// gone finds out why nobody takes acks: nil if the consumer was deleted, and with it what it knew of the messages.
func (s *source) gone(ctx context.Context) error {
	exists, err := s.backend.hasDurable(ctx, s.topic, s.sub.Group)
	switch {
	case err != nil:
		return err
	case exists:
		return fault.Unavailablef("nobody takes acks for the durable consumer at the moment")
	}
	return nil
}

// Return hands items back: the server delivers them again at once, and counts that as a delivery.
func (s *source) Return(ctx context.Context, items []*item) error {
	if items = s.current(items); len(items) == 0 {
		return nil
	}
	ctx, done := s.backend.call(ctx)
	defer done()
	for _, it := range items {
		if err := s.backend.conn.Publish(it.Entry.reply, nak); err != nil {
			return s.backend.failure(ctx, err, "return %d messages of %q", len(items), s.topic)
		}
	}
	return s.backend.failure(ctx, s.backend.conn.FlushWithContext(ctx), "return %d messages of %q", len(items), s.topic)
}

// Keep tells the server, every third of ack_wait, that what is held here is being worked on.
func (s *source) Keep(ctx context.Context) {
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	for {
		select {
		case wait := <-s.ackWait:
			ticker.Reset(max(wait/3, 10*time.Millisecond))
		case <-ticker.C:
			s.keep()
		case <-ctx.Done():
			return
		}
	}
}

// keep extends what has no outcome. An outage shows elsewhere, and what is delivered to others meanwhile is handled twice.
func (s *source) keep() {
	var replies []string
	in := s.in()
	s.sub.Unfinished(func(it *item) {
		if it.Source == in {
			replies = append(replies, it.Entry.reply)
		}
	})
	for _, reply := range replies {
		if err := s.backend.conn.Publish(reply, progress); err != nil {
			return
		}
	}
}
