package inflight

import (
	"slices"

	"leat/adapters/pubsub"
)

// Lose says that items are another consumer's now: those of which lost returns true. One that waits here for a delivery is dropped.
// One in flight is kept, and its ack is still told to the broker: the work is done, and effects are applied once, so
// the worst that follows is that the other consumer does it in vain. It returns how many were lost anew.
func (s *Subscription[E]) Lose(lost func(*Item[E]) bool) int {
	n := s.window.lose(lost)
	s.observe(pubsub.EventLost, n)
	return n
}

// lose marks lost items, and frees the slots of those that are not in flight.
func (w *window[E]) lose(lost func(*Item[E]) bool) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.visit(func(it *Item[E]) {
		if !it.lost && lost(it) {
			it.lost = true
			n++
		}
	}, w.flying, w.waiting, w.suspects, w.overdue)
	drop := func(it *Item[E]) bool {
		if it.lost {
			w.free(it)
		}
		return it.lost
	}
	w.waiting = slices.DeleteFunc(w.waiting, drop)
	w.suspects = slices.DeleteFunc(w.suspects, drop)
	w.overdue = slices.DeleteFunc(w.overdue, drop)
	signal(w.freed)
	return n
}
