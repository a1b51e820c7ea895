package inflight

import (
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// window holds the items of a subscription. Its size, in items and in bytes, bounds all memory of the subscription: an item keeps its
// slot while it is in flight, waits after a nack, or waits for the broker to confirm its ack.
type window[E any] struct {
	size  int
	nack  Nack
	hold  time.Duration         // how long an item may be held before it is handed back; 0 is for ever
	out   chan *message.Message // as large as the window, so that a delivery never blocks
	freed chan struct{}         // a slot was freed or an item has an outcome
	wake  chan struct{}         // there is something to watch

	mu       sync.Mutex
	used     int        // slots taken, reserved ones included
	bytes    int        // of the items
	flying   []*Item[E] // delivered, without an outcome, in the order of delivery
	waiting  []*Item[E] // nacked
	nextDue  time.Time
	suspects []*Item[E] // to be run alone
	acked    []*Item[E] // the broker has not confirmed the ack
	unmarked []*Item[E] // suspects with an outcome that is not an ack
	overdue  []*Item[E] // held for too long: to be handed back
	solo     bool       // an item runs alone: nothing else is delivered
	stopped  bool       // nothing is delivered any more
}

func newWindow[E any](size int, nack Nack, hold time.Duration) *window[E] {
	return &window[E]{size: size, nack: nack, hold: hold, out: make(chan *message.Message, size), freed: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// windowBytes is how much payload a window holds before it counts as full; one more reply may come on top.
const windowBytes = 64 << 20

// reserve takes up to n free slots and returns how many.
func (w *window[E]) reserve(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bytes >= windowBytes {
		return 0
	}
	n = max(0, min(n, w.size-w.used))
	w.used += n
	return n
}

// settle fills reserved slots with items, and gives the others back.
func (w *window[E]) settle(reserved int, items ...*Item[E]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used -= reserved - len(items)
	now := time.Now()
	for _, it := range items {
		w.bytes += it.Size
		it.received = now
	}
	signal(w.freed)
}

// free empties the slot of an item.
func (w *window[E]) free(it *Item[E]) {
	w.used--
	w.bytes -= it.Size
}

// deliver puts the messages of items into the channel, which has room for all items. When the window is
// stopped, it keeps the items instead.
func (w *window[E]) deliver(items ...*Item[E]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		w.suspects = append(w.suspects, items...)
		return
	}
	w.fly(items...)
}

func (w *window[E]) fly(items ...*Item[E]) {
	w.flying = append(w.flying, items...)
	for _, it := range items {
		w.out <- it.msg
	}
	signal(w.wake)
}

// withdraw stops deliveries and takes back what nobody has received.
func (w *window[E]) withdraw() []*Item[E] {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	back := make(map[*message.Message]struct{}, len(w.out))
	for len(w.out) > 0 {
		select {
		case msg := <-w.out:
			back[msg] = struct{}{}
		default:
		}
	}
	var undelivered []*Item[E]
	kept := w.flying[:0]
	for _, it := range w.flying {
		if _, ok := back[it.msg]; ok {
			it.ctx.cancel()
			undelivered = append(undelivered, it)
		} else {
			kept = append(kept, it)
		}
	}
	clear(w.flying[len(kept):])
	w.flying = kept
	signal(w.freed)
	return undelivered
}

// park keeps suspects until it is their turn to run alone.
func (w *window[E]) park(suspects ...*Item[E]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.suspects = append(w.suspects, suspects...)
}

// all calls visit with every item, under the lock.
func (w *window[E]) all(visit func(*Item[E])) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.visit(visit, w.flying, w.waiting, w.suspects, w.acked, w.overdue)
}

// unfinished calls visit with every item that is not acked, under the lock.
func (w *window[E]) unfinished(visit func(*Item[E])) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.visit(visit, w.flying, w.waiting, w.suspects)
}

func (w *window[E]) visit(visit func(*Item[E]), lists ...[]*Item[E]) {
	for _, list := range lists {
		for _, it := range list {
			visit(it)
		}
	}
}

// ids returns the ids of all items of a source.
func (w *window[E]) ids(source string) map[string]struct{} {
	ids := make(map[string]struct{})
	w.all(func(it *Item[E]) {
		if it.Source == source {
			ids[it.ID] = struct{}{}
		}
	})
	return ids
}

// cancel ends the contexts of all items in flight.
func (w *window[E]) cancel() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range w.flying {
		it.ctx.cancel()
	}
}

// inFlight returns how many items are delivered without an outcome.
func (w *window[E]) inFlight() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.flying)
}
