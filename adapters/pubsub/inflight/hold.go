package inflight

import (
	"context"
	"time"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
)

// fillWait is how long a read waits for more room in the window, so that few free slots do not make
// many small reads.
const fillWait = 2 * time.Millisecond

// Room reserves up to n slots. It waits for the first one, though no longer than most, and a moment for more. 0 means
// that there is none, or that ctx has ended. Every slot must be given back through Take.
func (s *Subscription[E]) Room(ctx context.Context, n int, most time.Duration) int {
	n = min(n, s.InFlight)
	got := s.window.reserve(n)
	limit := time.NewTimer(most)
	defer limit.Stop()
	for got == 0 {
		select {
		case <-s.window.freed:
			got = s.window.reserve(n)
		case <-limit.C:
			return 0
		case <-ctx.Done():
			return 0
		}
	}
	if few := min(n, s.InFlight/4); got < few {
		limit.Reset(fillWait)
		for got < few {
			select {
			case <-s.window.freed:
				got += s.window.reserve(n - got)
			case <-limit.C:
				return got
			case <-ctx.Done():
				return got
			}
		}
	}
	return got
}

// Take hands items to the handlers; it does not block. They fill as many of the reserved slots, and the others are free
// again. Those that were delivered too often wait for their turn alone. How is EventRead or EventClaimed.
func (s *Subscription[E]) Take(reserved int, how pubsub.Event, items ...*Item[E]) {
	s.window.settle(reserved, items...)
	if len(items) == 0 {
		return
	}
	s.observe(how, len(items))
	consumer := s.source.Consumer()
	ready := make([]*Item[E], 0, len(items))
	var suspects []*Item[E]
	malformed := 0
	for _, it := range items {
		if it.Malformed != "" {
			malformed++
		}
		if it.alone = s.MaxDeliveries > 0 && it.Deliveries > s.MaxDeliveries; it.alone {
			suspects = append(suspects, it)
			continue
		}
		s.prepare(it, consumer)
		ready = append(ready, it)
	}
	s.observe(pubsub.EventMalformed, malformed)
	s.window.park(suspects...)
	s.window.deliver(ready...)
}

// Held returns the ids of all items of a source, those included whose ack the broker has not confirmed.
func (s *Subscription[E]) Held(source string) map[string]struct{} { return s.window.ids(source) }

// Again reports whether the broker has delivered an item that is held here already. The outcome of the first delivery counts
// for both, and an ack that is being sent is sent once more.
func (s *Subscription[E]) Again(source, id string) bool { return s.window.again(source, id) }

// Unfinished calls visit with every item that has no ack yet, under the lock of the window: visit must be quick.
func (s *Subscription[E]) Unfinished(visit func(*Item[E])) { s.window.unfinished(visit) }

// lowest adds the smallest position held of each source to low.
func (w *window[E]) lowest(low map[string]delivery.Position) {
	w.all(func(it *Item[E]) {
		position, _ := delivery.ParsePosition(it.ID)
		if before, ok := low[it.Source]; !ok || position.Less(before) {
			low[it.Source] = position
		}
	})
}

// oldest returns when the item arrived that has been held for longest; zero if there is none.
func (w *window[E]) oldest() (oldest time.Time) {
	w.all(func(it *Item[E]) {
		if oldest.IsZero() || it.received.Before(oldest) {
			oldest = it.received
		}
	})
	return oldest
}
