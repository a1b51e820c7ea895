package inflight

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// head returns the message to watch, nil if none is in flight, and when a nacked item is due, zero if none waits.
func (w *window[E]) head() (*message.Message, time.Time) {
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

// sweep sorts out the items in flight that have an outcome: acked ones wait for the broker to confirm it, nacked ones for
// their next delivery. It returns how many were nacked, and how many there were at all.
func (w *window[E]) sweep(now time.Time) (nacked, finished int) {
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

// outcomes returns the items whose outcome the broker does not know yet.
func (w *window[E]) outcomes() (acked, unmarked []*Item[E]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range w.acked {
		it.resent = false
	}
	return w.acked, w.unmarked
}

// confirm frees the slots of the first n acked items, which the broker knows to be acked. The notes of suspects among them are
// to be forgotten.
func (w *window[E]) confirm(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var left []*Item[E]
	for i, it := range w.acked {
		if i >= n || it.resent {
			left = append(left, it)
			continue
		}
		if w.free(it); it.marked {
			w.unmarked = append(w.unmarked, it)
		}
	}
	w.acked = left
	signal(w.freed)
}

// forgotten says that the notes of the first n unmarked items are gone.
func (w *window[E]) forgotten(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range w.unmarked[:n] {
		it.marked = false
	}
	w.unmarked = append([]*Item[E](nil), w.unmarked[n:]...)
}

// again reports whether the window has an item that the broker gave to this consumer once more, and notes it.
func (w *window[E]) again(source, id string) (held bool) {
	w.all(func(it *Item[E]) {
		if it.ID == id && it.Source == source {
			it.resent, it.lost, held = true, false, true
		}
	})
	return held
}
