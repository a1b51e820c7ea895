package inflight

import (
	"context"
	"time"

	"leat/adapters/pubsub"
)

const (
	// The first item is watched; the others are looked at whenever it has an outcome, and on a tick that grows
	// while nothing happens, so that one slow message does not hold back the acks of the others.
	shortTick = time.Millisecond
	longTick  = 50 * time.Millisecond
	// ackPause is the least time between two acks, so that a busy window is not acked one by one.
	ackPause = 500 * time.Microsecond
	// ackChunk is how many items one ack is for, at most.
	ackChunk = 1000
)

// sweep is the sweeper: it waits for outcomes, tells the broker, and delivers nacked items again when they are due.
// It works until ctx ends.
func (s *Subscription[E]) sweep(ctx context.Context) {
	tick := shortTick
	timer := time.NewTimer(tick)
	defer timer.Stop()
	var flushed time.Time
	for ctx.Err() == nil {
		ticked := s.await(ctx, timer, tick)
		if pause := ackPause - time.Since(flushed); pause > 0 && !ticked {
			_ = sleep(ctx, pause)
		}
		now := time.Now()
		nacked, finished := s.window.sweep(now)
		s.observe(pubsub.EventNacked, nacked)
		switch {
		case finished > 0:
			tick = shortTick
			if s.outage.retry(ctx, "ack", func() error { return s.flush(ctx) }) != nil {
				return
			}
			flushed = time.Now()
		case ticked:
			tick = min(2*tick, longTick)
		}
		consumer := s.source.Consumer()
		s.window.redeliver(time.Now(), func(it *Item[E]) { s.prepare(it, consumer) })
		if s.outage.retry(ctx, "return", func() error { return s.returnOverdue(ctx) }) != nil {
			return
		}
	}
}

// await waits for an outcome of the first item, for the tick if there is any item, for a nacked item to be due,
// for a delivery into an empty window, or for the end. It reports whether it was time that ended the wait.
func (s *Subscription[E]) await(ctx context.Context, timer *time.Timer, tick time.Duration) bool {
	head, due := s.window.head()
	wait := time.Hour
	if !due.IsZero() {
		wait = max(0, time.Until(due))
	}
	var acked, nacked, wake <-chan struct{}
	if head != nil {
		wait = min(wait, tick)
		acked, nacked = head.Acked(), head.Nacked()
	} else {
		wake = s.window.wake
	}
	timer.Reset(wait)
	select {
	case <-acked:
	case <-nacked:
	case <-wake:
	case <-timer.C:
		return true
	case <-ctx.Done():
	}
	return false
}

// flush tells the outcomes that nobody knows yet: acks to the broker, and then that the notes of suspects may go, for
// a note must not go before its message. Both may be repeated safely.
func (s *Subscription[E]) flush(ctx context.Context) error {
	for {
		acked, unmarked := s.window.outcomes()
		switch {
		case len(acked) > 0:
			acked = acked[:min(len(acked), ackChunk)]
			if err := s.source.Ack(ctx, acked); err != nil {
				return err
			}
			s.window.confirm(len(acked))
			s.observe(pubsub.EventAcked, len(acked))
		case len(unmarked) > 0:
			marks := make([]string, len(unmarked))
			for n, it := range unmarked {
				marks[n] = it.ID
			}
			if err := s.notes.Forget(ctx, marks...); err != nil {
				return err
			}
			s.window.forgotten(len(unmarked))
		default:
			return nil
		}
	}
}

// returnOverdue hands back what has been held for as long as the broker allows.
func (s *Subscription[E]) returnOverdue(ctx context.Context) error {
	overdue := s.window.handBack()
	if len(overdue) == 0 {
		return nil
	}
	if err := s.source.Return(ctx, overdue); err != nil {
		return err
	}
	s.window.returned(overdue)
	s.observe(pubsub.EventReturned, len(overdue))
	return nil
}
