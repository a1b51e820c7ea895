package inflight

import (
	"math/rand/v2"
	"slices"
	"time"
)

// wait keeps a nacked item until it is due. One that another consumer has claimed is that one's business.
func (w *window[E]) wait(it *Item[E], now time.Time) {
	it.msg, it.ctx = nil, nil
	if it.lost {
		w.free(it)
		return
	}
	if it.marked && !it.exhausted {
		w.unmarked = append(w.unmarked, it)
	}
	it.nacks++
	it.due = now.Add(nackDelay(w.nack, it.nacks, rand.Float64()))
	if w.hold > 0 && it.due.Sub(it.received) > w.hold {
		it.due = it.received.Add(w.hold)
	}
	if len(w.waiting) == 0 || it.due.Before(w.nextDue) {
		w.nextDue = it.due
	}
	w.waiting = append(w.waiting, it)
}

// nackDelay doubles the delay with each nack up to the longest, and adds up to half of it by chance.
func nackDelay(nack Nack, nacks int, chance float64) time.Duration {
	delay := nack.MaxDelay
	if shift := nacks - 1; shift < 30 && nack.Delay<<shift>>shift == nack.Delay {
		delay = min(delay, nack.Delay<<shift)
	}
	return delay + time.Duration(chance*float64(delay)/2)
}

// redeliver delivers the nacked items whose time has come, each with the message that prepare made for it.
// Suspects among them wait for their turn alone. Those that have been held for too long become overdue.
func (w *window[E]) redeliver(now time.Time, prepare func(*Item[E])) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.solo || w.stopped || len(w.waiting) == 0 || now.Before(w.nextDue) {
		return
	}
	kept := w.waiting[:0]
	w.nextDue = time.Time{}
	for _, it := range w.waiting {
		switch {
		case !it.due.After(now) && w.hold > 0 && now.Sub(it.received) >= w.hold:
			w.overdue = append(w.overdue, it)
		case !it.due.After(now) && it.alone:
			w.suspects = append(w.suspects, it)
		case !it.due.After(now):
			prepare(it)
			w.fly(it)
		default:
			kept = append(kept, it)
			if w.nextDue.IsZero() || it.due.Before(w.nextDue) {
				w.nextDue = it.due
			}
		}
	}
	clear(w.waiting[len(kept):])
	w.waiting = kept
}

// handBack returns the overdue items, which keep their slots until the broker has them.
func (w *window[E]) handBack() []*Item[E] {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.overdue)
}

// returned frees the slots of overdue items, those excepted that were lost meanwhile and have left the window.
func (w *window[E]) returned(items []*Item[E]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	back := make(map[*Item[E]]struct{}, len(items))
	for _, it := range items {
		back[it] = struct{}{}
	}
	w.overdue = slices.DeleteFunc(w.overdue, func(it *Item[E]) bool {
		_, ok := back[it]
		if ok {
			w.free(it)
		}
		return ok
	})
	signal(w.freed)
}
