package gochannel

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"leat/handlers/fault"
)

// topic is a bounded log of messages in memory. Publishers take turns; whoever has the turn appends or waits for room.
type topic struct {
	name   string
	config *Config
	log    *slog.Logger
	turn   chan struct{}   // of capacity 1: full while a publisher has the turn
	room   chan struct{}   // of capacity 1: something left the topic, or may be dropped now
	closed <-chan struct{} // of the backend

	mu          sync.Mutex
	first, last *entry
	sequence    uint64 // of the last entry
	count       int    // entries
	bytes       int64  // of them
	groups      map[string]*group
	drops       drops
}

func newTopic(name string, config *Config, log *slog.Logger, closed <-chan struct{}) *topic {
	log = log.With("broker", "gochannel", "topic", name)
	return &topic{
		name: name, config: config, log: log, closed: closed,
		turn: make(chan struct{}, 1), room: make(chan struct{}, 1),
		groups: make(map[string]*group),
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// publish appends the entries in their order, and returns how many are in the topic: all of them unless there is an error. It waits for
// room until ctx ends or the publish timeout is over.
func (t *topic) publish(ctx context.Context, entries []*entry) (int, error) {
	began := time.Now()
	wait, cancel := context.WithTimeout(ctx, t.config.PublishTimeout)
	defer cancel()
	select {
	case t.turn <- struct{}{}:
	case <-wait.Done():
		return 0, t.gaveUp(ctx, began)
	case <-t.closed:
		return 0, errClosed
	}
	defer func() { <-t.turn }()
	for taken := 0; taken < len(entries); {
		n, size := t.portion(entries[taken:])
		for !t.append(entries[taken:taken+n], size) {
			select {
			case <-t.room:
			case <-wait.Done():
				return taken, t.gaveUp(ctx, began)
			case <-t.closed:
				return taken, errClosed
			}
		}
		taken += n
	}
	return len(entries), nil
}

// portion is how many of the entries go into the topic together, and their bytes: half a topic at most, so that
// a message that is held for long does not keep a large call out.
func (t *topic) portion(entries []*entry) (n int, size int64) {
	for n < len(entries) && n < t.config.Buffer/2 {
		next := int64(entries[n].size)
		if n > 0 && size+next > t.config.BufferBytes/2 {
			break
		}
		size += next
		n++
	}
	return n, size
}

// append adds the entries if there is room for all of them, or room can be made by dropping what nobody reads.
func (t *topic) append(entries []*entry, size int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.closed:
		return false
	default:
	}
	for t.count+len(entries) > t.config.Buffer || t.bytes+size > t.config.BufferBytes {
		if !t.drop() {
			return false
		}
	}
	for _, e := range entries {
		t.sequence++
		e.sequence, e.missing, e.previous = t.sequence, len(t.groups), t.last
		if t.last == nil {
			t.first = e
		} else {
			t.last.next = e
		}
		t.last = e
	}
	t.count += len(entries)
	t.bytes += size
	for _, g := range t.groups {
		g.grown(entries)
	}
	return true
}

// remove takes an entry out that no group stands at.
func (t *topic) remove(e *entry) {
	if e.previous == nil {
		t.first = e.next
	} else {
		e.previous.next = e.next
	}
	if e.next == nil {
		t.last = e.previous
	} else {
		e.next.previous = e.previous
	}
	e.previous, e.next = nil, nil // one that is held on to must not keep the others in memory
	t.count--
	t.bytes -= int64(e.size)
	signal(t.room)
}

// group returns the group of that name, which begins with all that the topic holds if it is new.
func (t *topic) group(name string) *group {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g, ok := t.groups[name]; ok {
		return g
	}
	g := &group{topic: t, next: t.first, waiting: t.count, held: make(map[*entry]*source), more: make(chan struct{}, 1)}
	for e := t.first; e != nil; e = e.next {
		e.missing++
	}
	t.groups[name] = g
	return g
}

// gaveUp is the error of a publisher that did not get room.
func (t *topic) gaveUp(ctx context.Context, began time.Time) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return &fault.Error{Kind: fault.Unavailable, Code: CodeFull, Err: fullError{t.count, t.bytes, time.Since(began)}}
}

// now is when an entry was published, in whole milliseconds.
func now() time.Time { return time.Now().Truncate(time.Millisecond) }
