package gochannel

import (
	"cmp"
	"slices"
)

// group is a consumer group of a topic: where it stands, and what its subscriptions hold. It is guarded by the topic's lock.
type group struct {
	topic   *topic
	next    *entry             // the first that was never handed out; nil: none
	back    []*entry           // given back, in the order of the topic: they come first
	held    map[*entry]*source // handed out, not acked, and by which subscription
	waiting int                // how many were never handed out, or were given back
	live    int                // subscriptions
	more    chan struct{}      // of capacity 1: something waits
}

// takeBytes is how much one read hands out, give or take a message.
const takeBytes = 8 << 20

// grown says that the entries were appended to the topic.
func (g *group) grown(entries []*entry) {
	if g.next == nil {
		g.next = entries[0]
	}
	g.waiting += len(entries)
	signal(g.more)
}

// take hands up to n entries out to a subscription. It does not wait.
func (g *group) take(n int, by *source) []*entry {
	g.topic.mu.Lock()
	defer g.topic.mu.Unlock()
	n = min(n, g.waiting)
	if n == 0 {
		return nil
	}
	taken := make([]*entry, 0, n)
	for size := 0; len(taken) < n && size < takeBytes; {
		e := g.next
		if len(g.back) > 0 {
			e, g.back = g.back[0], g.back[1:]
		} else {
			g.next = e.next
		}
		g.held[e] = by
		taken = append(taken, e)
		size += e.size
	}
	if g.waiting -= len(taken); g.waiting > 0 {
		signal(g.more) // for another subscription of the group
	}
	return taken
}

// ack says that a subscription is done with entries. It passes over those that it does not hold.
func (g *group) ack(by *source, entries func(func(*entry) bool)) {
	g.topic.mu.Lock()
	defer g.topic.mu.Unlock()
	for e := range entries {
		if g.held[e] != by {
			continue
		}
		delete(g.held, e)
		if e.missing--; e.missing == 0 {
			g.topic.remove(e)
		}
	}
	signal(g.topic.room) // what only groups without a subscription lack now may be dropped
}

// giveBack makes entries that a subscription holds wait again.
func (g *group) giveBack(by *source, entries func(func(*entry) bool)) {
	g.topic.mu.Lock()
	defer g.topic.mu.Unlock()
	g.putBack(by, entries)
}

func (g *group) putBack(by *source, entries func(func(*entry) bool)) {
	before := len(g.back)
	for e := range entries {
		if g.held[e] == by {
			delete(g.held, e)
			g.back = append(g.back, e)
		}
	}
	if len(g.back) == before {
		return
	}
	slices.SortFunc(g.back, func(a, b *entry) int { return cmp.Compare(a.sequence, b.sequence) })
	g.waiting += len(g.back) - before
	signal(g.more)
}

// join adds a subscription.
func (g *group) join() {
	g.topic.mu.Lock()
	defer g.topic.mu.Unlock()
	g.live++
}

// leave takes a subscription away, and gives back what it still holds.
func (g *group) leave(by *source) {
	g.topic.mu.Lock()
	defer g.topic.mu.Unlock()
	g.putBack(by, func(yield func(*entry) bool) {
		for e, holder := range g.held {
			if holder == by && !yield(e) {
				return
			}
		}
	})
	g.live--
	signal(g.topic.room) // what only this group lacks may be dropped now
}

// lacks reports whether the group has not acked the entry.
func (g *group) lacks(e *entry) bool {
	if g.next != nil && e.sequence >= g.next.sequence {
		return true
	}
	_, held := g.held[e]
	return held || slices.Contains(g.back, e)
}

// forget takes an entry that is dropped out of a group without live subscriptions.
func (g *group) forget(e *entry) {
	if g.next != nil && e.sequence >= g.next.sequence {
		g.waiting--
		if g.next == e {
			g.next = e.next
		}
		return
	}
	if at := slices.Index(g.back, e); at >= 0 {
		g.back = slices.Delete(g.back, at, at+1)
		g.waiting--
	}
}
