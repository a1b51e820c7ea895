package redisstream

import (
	"context"
)

// exhausting is how many runs alone must end without an outcome before an entry is given up. One may have been
// held back, as while the store was away, when its process died of something else.
const exhausting = 2

// runSuspects runs the entries that were delivered too often, one at a time, each with nothing else in flight:
// if the process dies of one, it is known which. It returns when all have an outcome, or ctx ends.
func (s *subscription) runSuspects(ctx context.Context) error {
	if !s.window.beginSolo() {
		return nil
	}
	defer s.window.endSolo()
	for {
		if !s.quiet(ctx) || s.Gate != nil && s.Gate.Wait(ctx) != nil {
			return nil
		}
		it := s.window.firstSuspect()
		if it == nil {
			return nil
		}
		if err := s.runAlone(ctx, it); err != nil {
			return err
		}
	}
}

// runAlone delivers a suspect, after Redis has noted how often it was on its own. Whoever gets the entry with
// that note still there knows that these runs ended without an outcome. The number is set, not incremented: the
// client may send the command twice.
func (s *subscription) runAlone(ctx context.Context, it *item) error {
	if err := s.Client.HSet(ctx, s.suspects(), it.id, it.runs+1).Err(); err != nil {
		return err
	}
	it.marked = true
	s.prepare(it, s.lease.consumer())
	if s.window.deliverAlone(it) {
		s.observe(EventSuspect, 1)
		s.log.Warn("an entry was delivered too often without an outcome; it runs alone", "id", it.id, "deliveries", it.deliveries)
	}
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

func (w *window) firstSuspect() *item {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.suspects) == 0 {
		return nil
	}
	return w.suspects[0]
}

// deliverAlone delivers the first suspect. It reports false if it is lost meanwhile, or the window stopped.
func (w *window) deliverAlone(it *item) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || len(w.suspects) == 0 || w.suspects[0] != it {
		return false
	}
	w.suspects = w.suspects[1:]
	w.fly(it)
	return true
}
