package pubsubtest

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// ackWait is how long the broker in memory waits for those who do not say that they are still at it.
const ackWait = 2 * time.Second

// memory is a broker with the semantics of a real one: groups, deliveries that are counted, messages that come again when nobody keeps
// them. The suite is tried on it, and on versions of it that are broken in one way.
type memory struct {
	faults faults

	mu      sync.Mutex
	changed chan struct{} // closed at each change
	topics  map[string]*topic
}

type topic struct {
	log    []*entry
	groups map[string]*cursor
}

// entry is a message as it was published.
type entry struct {
	message   *message.Message
	malformed bool
}

// cursor is how far a group is.
type cursor struct {
	next     int           // index of the next message that was never delivered
	pending  map[int]*loan // by index
	returned []int         // handed back, to be delivered again
	counts   map[int]int   // deliveries
	lent     map[int]int   // deliveries, handed back ones included
}

// loan is a message that somebody has in hand.
type loan struct {
	holder *source
	until  time.Time
}

func newMemory(f faults) *memory {
	return &memory{faults: f, changed: make(chan struct{}), topics: make(map[string]*topic)}
}

// do changes something, and tells those who wait.
func (m *memory) do(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) changes() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// topic returns a topic, which it makes if need be. The lock is held.
func (m *memory) topic(name string) *topic {
	if m.topics[name] == nil {
		m.topics[name] = &topic{groups: make(map[string]*cursor)}
	}
	return m.topics[name]
}

// cursor returns how far a group is in the topic. The lock is held.
func (m *memory) cursor(name, group string) *cursor {
	t := m.topic(name)
	if m.faults.groupsShare {
		group = ""
	}
	if t.groups[group] == nil {
		c := &cursor{pending: make(map[int]*loan), counts: make(map[int]int), lent: make(map[int]int)}
		if m.faults.newGroupsSkip {
			c.next = len(t.log)
		}
		t.groups[group] = c
	}
	return t.groups[group]
}

// lend gives the source up to n messages: what was handed back, what nobody keeps any more, then new ones.
func (m *memory) lend(s *source, n int) (indexes []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, log := m.cursor(s.topic, s.group), m.topic(s.topic).log
	now := time.Now()
	take := func(i int) {
		c.pending[i] = &loan{s, now.Add(ackWait)}
		c.counts[i]++
		c.lent[i]++
		indexes = append(indexes, i)
	}
	for len(c.returned) > 0 && len(indexes) < n {
		take(c.returned[0])
		c.returned = c.returned[1:]
	}
	for _, i := range slices.Sorted(maps.Keys(c.pending)) {
		if len(indexes) < n && c.pending[i].until.Before(now) && !m.faults.neverAgain {
			take(i)
		}
	}
	for ; c.next < len(log) && len(indexes) < n; c.next++ {
		take(c.next)
		if m.faults.twice && len(indexes) < n {
			take(c.next)
		}
	}
	if m.faults.shuffles {
		slices.SortFunc(indexes, func(a, b int) int { return cmp.Compare(a*7919%1000, b*7919%1000) })
	}
	return indexes
}

// link is the network between a backend and the broker.
type link struct{ cut atomic.Bool }

func (l *link) err() error {
	if l.cut.Load() {
		return errAway
	}
	return nil
}
