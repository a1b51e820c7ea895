package redisstream

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// head returns the message to watch, nil if none is in flight, and when a nacked item is due, zero if none waits.
func (w *window) head() (*message.Message, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var due time.Time
	if len(w.waiting) > 0 && !w.solo && !w.stopped {
		due = w.nextDue
	}
	if len(w.flying) == 0 {
		return nil, due
	}
	return w.flying[0].msg, due
}

// sweep sorts out the items in flight that have an outcome: acked ones wait for their XACK, nacked ones for
// their next delivery. It returns how many were nacked, and how many there were at all.
func (w *window) sweep(now time.Time) (nacked, finished int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.flying[:0]
	for _, it := range w.flying {
		select {
		case <-it.msg.Acked():
			w.acked = append(w.acked, it)
			it.ctx.cancel()
			continue
		default:
		}
		select {
		case <-it.msg.Nacked():
			nacked++
			it.ctx.cancel()
			w.wait(it, now)
			continue
		default:
		}
		kept = append(kept, it)
	}
	finished = len(w.flying) - len(kept)
	clear(w.flying[len(kept):])
	w.flying = kept
	if finished > 0 {
		signal(w.freed)
	}
	return nacked, finished
}

// outcomes returns the items whose outcome Redis does not know yet.
func (w *window) outcomes() (acked, unmarked []*item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range w.acked {
		it.resent = false
	}
	return w.acked, w.unmarked
}

// confirm frees the slots of the first acked items, whose XACK is done, and forgets the first unmarked ones.
func (w *window) confirm(acked, unmarked int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var left []*item
	for i, it := range w.acked {
		if i >= acked || it.resent {
			left = append(left, it)
		} else {
			w.free(it)
		}
	}
	w.acked = left
	for _, it := range w.unmarked[:unmarked] {
		it.marked = false
	}
	w.unmarked = append([]*item(nil), w.unmarked[unmarked:]...)
	signal(w.freed)
}

// again reports whether the window has an item that Redis gave to this consumer once more, and notes it.
func (w *window) again(id string) (held bool) {
	w.all(func(it *item) {
		if it.id == id {
			it.resent, it.lost, held = true, false, true
		}
	})
	return held
}
