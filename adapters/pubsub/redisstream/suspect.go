package redisstream

import (
	"context"
)

// runSuspects runs the entries that were delivered too often, one at a time, each with nothing else in flight:
// if the process dies of one, it is known which. It returns when all have an outcome, or ctx ends.
func (s *subscription) runSuspects(ctx context.Context) error {
	if !s.window.beginSolo() {
		return nil
	}
	defer s.window.endSolo()
	for {
		if !s.quiet(ctx) {
			return nil
		}
		it := s.window.nextSuspect()
		if it == nil {
			return nil
		}
		if err := s.runAlone(ctx, it); err != nil {
			s.window.park(it)
			return err
		}
	}
}

// runAlone delivers a suspect, after Redis has noted that it is on its own now. Whoever gets the entry with
// that note still there knows that this delivery ended without an outcome.
func (s *subscription) runAlone(ctx context.Context, it *item) error {
	if err := s.Client.HSet(ctx, s.suspects(), it.id, it.deliveries).Err(); err != nil {
		return err
	}
	it.marked = true
	s.observe(EventSuspect, 1)
	s.log.Warn("an entry was delivered too often without an outcome; it runs alone", "id", it.id, "deliveries", it.deliveries)
	s.deliver(it)
	return nil
}

// quiet waits until nothing is in flight. It reports false if ctx ends first.
func (s *subscription) quiet(ctx context.Context) bool {
	for s.window.inFlight() > 0 {
		select {
		case <-s.window.freed:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// beginSolo keeps nacked items back if there are suspects to run; it reports whether there are.
func (w *window) beginSolo() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.solo = len(w.suspects) > 0
	return w.solo
}

func (w *window) endSolo() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.solo = false
	signal(w.wake)
}

func (w *window) nextSuspect() *item {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.suspects) == 0 {
		return nil
	}
	it := w.suspects[0]
	w.suspects = w.suspects[1:]
	return it
}
