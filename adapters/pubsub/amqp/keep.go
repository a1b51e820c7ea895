package amqp

import (
	"context"
	"time"
)

const (
	// lookAfter is how often the source looks for what nobody has taken.
	lookAfter = time.Second
	// stopWait is how long the server may take to take it back at a stop.
	stopWait = 2 * time.Second
)

// Keep implements inflight.Source: it hands back what is kept from others for too long while nobody reads, and at once
// when reading has ended.
func (s *source) Keep(ctx context.Context) {
	select {
	case <-s.begun:
	case <-ctx.Done():
		return
	}
	ticker := time.NewTicker(min(lookAfter, max(s.backend.config.MaxHold/4, time.Millisecond)))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if s.turn.TryLock() { // else somebody reads
				s.release(s.backend.config.Timeout)
				s.turn.Unlock()
			}
		case <-s.reading.Done():
			s.turn.Lock()
			defer s.turn.Unlock()
			if link := s.link.Load(); link != nil {
				s.handBack(link, stopWait)
			}
			return
		case <-ctx.Done():
			return
		}
	}
}

// release hands back what nobody has taken for max_hold, or what is too much to keep. The caller holds turn.
func (s *source) release(timeout time.Duration) {
	link := s.link.Load()
	if link == nil {
		return
	}
	if n := link.inbox.fitting(s.backend.unread); n > 0 {
		link.prefetch.Store(int64(n))
		s.handBack(link, timeout)
		return
	}
	if oldest := link.inbox.oldest(); !oldest.IsZero() && time.Since(oldest) > s.backend.config.MaxHold {
		s.handBack(link, timeout)
	}
}

// handBack gives the server back what it has pushed and nobody has taken. The next read begins anew. The caller holds turn.
func (s *source) handBack(link *link, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	n, err := link.handBack(ctx)
	if err != nil {
		s.drop(ctx, link)
		return
	}
	if n > 0 {
		s.subscription.Log().Debug("messages that nobody has taken were handed back", "messages", n, "prefetch", link.prefetch.Load())
	}
}
