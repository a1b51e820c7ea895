package redisstream

import (
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/delivery"
)

// item is an entry that the subscription holds: from the read until Redis has confirmed its outcome.
type item struct {
	body
	id         string
	deliveries int
	msg        *message.Message // of the current delivery
	ctx        *messageContext  // of the current delivery
	firstCtx   messageContext   // of the first delivery; spares an allocation
	extended   time.Time        // when Redis last saw the entry as ours
	due        time.Time        // of a nacked item: when it is delivered again
	nacks      int
	alone      bool // a suspect: delivered with nothing else in flight
	runs       int  // alone, that the suspects' hash told of and that had no outcome
	marked     bool // the suspects' hash names it
	exhausted  bool // its runs alone ended without an outcome
	lost       bool // another consumer has claimed it
	resent     bool // Redis gave it to us once more: an XACK sent before does not count
}

func (it *item) size() int { return len(it.payload) + len(it.metadata) }

// window holds the items of a subscription. Its size, in items and in bytes, bounds all memory of the subscription: an item keeps its
// slot while it is in flight, waits after a nack, or waits for its XACK.
type window struct {
	size  int
	nack  Nack
	out   chan *message.Message // as large as the window, so that a delivery never blocks
	freed chan struct{}         // a slot was freed or an item has an outcome
	wake  chan struct{}         // there is something to watch

	mu       sync.Mutex
	arriving string  // lowest of the entries on their way into the window; empty if there is none
	used     int     // slots taken, reserved ones included
	bytes    int     // of the items
	flying   []*item // delivered, without an outcome, in the order of delivery
	waiting  []*item // nacked
	nextDue  time.Time
	suspects []*item // to be run alone
	acked    []*item // XACK is not confirmed
	unmarked []*item // suspects with an outcome that is not an ack
	solo     bool    // an item runs alone: nothing else is delivered
	stopped  bool    // nothing is delivered any more
}

func newWindow(size int, nack Nack) *window {
	return &window{size: size, nack: nack, out: make(chan *message.Message, size), freed: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
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
func (w *window) reserve(n int) int {
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
func (w *window) settle(reserved int, items ...*item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used -= reserved - len(items)
	for _, it := range items {
		w.bytes += it.size()
	}
	signal(w.freed)
}

// free empties the slot of an item.
func (w *window) free(it *item) {
	w.used--
	w.bytes -= it.size()
}

// arrive tells that entries from id on are on their way into the window; empty ends that.
func (w *window) arrive(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arriving = id
}

// lowest returns the smallest position that is held here, or on its way here; ok is false if nothing is.
func (w *window) lowest() (lowest delivery.Position, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	consider := func(id string) {
		if position, _ := delivery.ParsePosition(id); !ok || position.Less(lowest) {
			lowest, ok = position, true
		}
	}
	if w.arriving != "" {
		consider(w.arriving)
	}
	w.visit(func(it *item) { consider(it.id) }, w.flying, w.waiting, w.suspects, w.acked)
	return lowest, ok
}

// deliver puts the messages of items into the channel, which has room for all items. When the window is
// stopped, it keeps the items instead.
func (w *window) deliver(items ...*item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		w.suspects = append(w.suspects, items...)
		return
	}
	w.fly(items...)
}

func (w *window) fly(items ...*item) {
	w.flying = append(w.flying, items...)
	for _, it := range items {
		w.out <- it.msg
	}
	signal(w.wake)
}

// withdraw stops deliveries and takes back what nobody has received.
func (w *window) withdraw() []*item {
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
	var undelivered []*item
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
func (w *window) park(suspects ...*item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.suspects = append(w.suspects, suspects...)
}

// all calls visit with every item, under the lock.
func (w *window) all(visit func(*item)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.visit(visit, w.flying, w.waiting, w.suspects, w.acked)
}

// unfinished calls visit with every item that is not acked, under the lock.
func (w *window) unfinished(visit func(*item)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.visit(visit, w.flying, w.waiting, w.suspects)
}

func (w *window) visit(visit func(*item), lists ...[]*item) {
	for _, list := range lists {
		for _, it := range list {
			visit(it)
		}
	}
}

// ids returns the ids of all items.
func (w *window) ids() map[string]struct{} {
	ids := make(map[string]struct{})
	w.all(func(it *item) { ids[it.id] = struct{}{} })
	return ids
}

// cancel ends the contexts of all items in flight.
func (w *window) cancel() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range w.flying {
		it.ctx.cancel()
	}
}

// inFlight returns how many items are delivered without an outcome.
func (w *window) inFlight() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.flying)
}
