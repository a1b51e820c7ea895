package redisstream

import (
	"context"
	"time"

	"leat/handlers/delivery"
)

const (
	// The first item is watched; the others are looked at whenever it has an outcome, and on a tick that grows
	// while nothing happens, so that one slow message does not hold back the acks of the others.
	shortTick = time.Millisecond
	longTick  = 50 * time.Millisecond
	// ackPause is the least time between two XACKs, so that a busy window is not acked one by one.
	ackPause = 500 * time.Microsecond
	// ackChunk is how many ids go into one XACK.
	ackChunk = 1000
)

// sweep is the sweeper: it waits for outcomes, tells Redis, and delivers nacked items again when they are due.
// It works until ctx ends.
func (s *subscription) sweep(ctx context.Context) {
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
		s.observe(EventNacked, nacked)
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
		consumer := s.lease.consumer()
		s.window.redeliver(time.Now(), func(it *item) { s.prepare(it, consumer) })
	}
}

// await waits for an outcome of the first item, for the tick if there is any item, for a nacked item to be due,
// for a delivery into an empty window, or for the end. It reports whether it was time that ended the wait.
func (s *subscription) await(ctx context.Context, timer *time.Timer, tick time.Duration) bool {
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

// flush tells Redis the outcomes that it does not know: acks, and suspects that were nacked. Acks come first: a
// suspect's note must not go before its entry. Both may be repeated safely.
func (s *subscription) flush(ctx context.Context) error {
	for {
		acked, unmarked := s.window.outcomes()
		if len(acked) == 0 && len(unmarked) == 0 {
			return nil
		}
		acked = acked[:min(len(acked), ackChunk)]
		args := append(make([]any, 0, 3+len(acked)), "xack", s.topic, s.Group)
		var marks []string
		for _, it := range acked {
			args = append(args, &it.id)
			if it.marked {
				marks = append(marks, it.id)
			}
		}
		for _, it := range unmarked {
			marks = append(marks, it.id)
		}
		if len(acked) > 0 {
			if err := s.Client.Do(ctx, args...).Err(); err != nil {
				return err
			}
		}
		if len(marks) > 0 {
			if err := s.Client.HDel(ctx, s.suspects(), marks...).Err(); err != nil {
				return err
			}
		}
		s.window.confirm(len(acked), len(unmarked))
		s.observe(EventAcked, len(acked))
	}
}

// below orders entry ids.
func below(a, b string) bool {
	p, _ := delivery.ParsePosition(a)
	q, _ := delivery.ParsePosition(b)
	return p.Less(q)
}
