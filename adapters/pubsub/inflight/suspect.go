package inflight

import (
	"context"

	"leat/adapters/pubsub"
)

// exhausting is how many runs alone must end without an outcome before a message is given up. One may have been
// held back, as while the store was away, when its process died of something else.
const exhausting = 2

// runSuspects runs the messages that were delivered too often, one at a time, each with nothing else in flight:
// if the process dies of one, it is known which. It returns when all have an outcome, or ctx ends.
func (s *Subscription[E]) runSuspects(ctx context.Context) error {
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

// runAlone delivers a suspect, after a note of how often it was on its own. Whoever gets the message with
// that note still there knows that these runs ended without an outcome. The number is set, not incremented: a
// client may send the command twice.
func (s *Subscription[E]) runAlone(ctx context.Context, it *Item[E]) error {
	if s.notes != nil && !it.marked {
		noted, err := s.notes.Runs(ctx, []string{it.ID})
		if err != nil {
			return err
		}
		runs := noted[it.ID]
		if it.exhausted = runs >= exhausting; !it.exhausted {
			if err := s.notes.Note(ctx, it.ID, runs+1); err != nil {
				return err
			}
		}
		it.marked = true
	}
	s.prepare(it, s.source.Consumer())
	if !s.window.deliverAlone(it) {
		return nil
	}
	if it.exhausted {
		s.observe(pubsub.EventExhausted, 1)
		s.log.Error("a message ran alone again and again without an outcome; it is passed on to be dead-lettered", "id", it.ID, "deliveries", it.Deliveries)
		return nil
	}
	s.observe(pubsub.EventSuspect, 1)
	s.log.Warn("a message was delivered too often without an outcome; it runs alone", "id", it.ID, "deliveries", it.Deliveries)
	return nil
}

// quiet waits until nothing is in flight. It reports false if ctx ends first.
func (s *Subscription[E]) quiet(ctx context.Context) bool {
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
func (w *window[E]) beginSolo() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.solo = len(w.suspects) > 0
	return w.solo
}

func (w *window[E]) endSolo() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.solo = false
	signal(w.wake)
}

func (w *window[E]) firstSuspect() *Item[E] {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.suspects) == 0 {
		return nil
	}
	return w.suspects[0]
}

// deliverAlone delivers the first suspect. It reports false if it is lost meanwhile, or the window stopped.
func (w *window[E]) deliverAlone(it *Item[E]) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || len(w.suspects) == 0 || w.suspects[0] != it {
		return false
	}
	w.suspects = w.suspects[1:]
	w.fly(it)
	return true
}
