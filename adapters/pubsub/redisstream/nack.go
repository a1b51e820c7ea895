package redisstream

import (
	"math/rand/v2"
	"time"
)

// wait keeps a nacked item until it is due. One that another consumer has claimed is that one's business.
func (w *window) wait(it *item, now time.Time) {
	it.msg, it.ctx, it.runs = nil, nil, 0
	if it.lost {
		w.free(it)
		return
	}
	if it.marked && !it.exhausted {
		w.unmarked = append(w.unmarked, it)
	}
	it.nacks++
	it.due = now.Add(nackDelay(w.nack, it.nacks, rand.Float64()))
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
// Suspects among them wait for their turn alone.
func (w *window) redeliver(now time.Time, prepare func(*item)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.solo || w.stopped || len(w.waiting) == 0 || now.Before(w.nextDue) {
		return
	}
	kept := w.waiting[:0]
	w.nextDue = time.Time{}
	for _, it := range w.waiting {
		switch {
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
