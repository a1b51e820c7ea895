package gochannel

import "time"

// dropsEvery is how often a topic tells the log that it drops messages.
const dropsEvery = time.Minute

// drops counts what a topic dropped because nobody reads it.
type drops struct {
	total  int64
	untold int64 // of them, not in the log yet
	told   time.Time
}

// drop removes the oldest entry that no live subscription has still to ack. It reports whether there was one.
func (t *topic) drop() bool {
	live := 0
	for _, g := range t.groups {
		if g.live > 0 {
			live++
		}
	}
	if live > 0 && live == len(t.groups) {
		return false
	}
	for e := t.first; e != nil; e = e.next {
		if t.needed(e) {
			continue
		}
		for _, g := range t.groups {
			if g.live == 0 {
				g.forget(e)
			}
		}
		t.remove(e)
		t.drops.total++
		t.drops.untold++
		if time.Since(t.drops.told) >= dropsEvery {
			t.tellDrops()
		}
		return true
	}
	return false
}

// needed reports whether a group with a live subscription has still to ack the entry.
func (t *topic) needed(e *entry) bool {
	for _, g := range t.groups {
		if g.live > 0 && g.lacks(e) {
			return true
		}
	}
	return false
}

// tellDrops logs what was dropped since the last time.
func (t *topic) tellDrops() {
	if t.drops.untold == 0 {
		return
	}
	t.log.Warn("nobody reads the topic, and it is full: its oldest messages are dropped", "dropped", t.drops.untold, "dropped_in_all", t.drops.total)
	t.drops.untold, t.drops.told = 0, time.Now()
}
