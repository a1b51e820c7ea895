package batch

import (
	"maps"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/fault"
)

// Item is one message on its way through the chain. Only the stage that was given an item may touch it.
type Item[T any] struct {
	Message *message.Message
	Value   T

	key    string // what must not run concurrently, where the policy names one
	state  state
	stage  string // that runs over it now
	err    error
	leader *Item[T]
	notes  map[string]string
	done   chan error // holds the outcome; never blocks the worker
}

type state uint8

const (
	running state = iota
	finished
	failed
	following
)

// Fail ends the item with an error. Later stages do not see it.
func (i *Item[T]) Fail(err error) {
	detail := fault.Of(err)
	if detail.Stage == "" {
		detail.Stage = i.stage
	}
	if len(i.notes) > 0 {
		notes := maps.Clone(i.notes)
		maps.Copy(notes, detail.Notes)
		detail.Notes = notes
	}
	i.state, i.err = failed, &detail
}

// Finish ends the item with success. Later stages do not see it.
func (i *Item[T]) Finish() { i.state = finished }

// Follow takes the item out of the batch because leader, an item of the same batch, does the same work. It succeeds
// when the leader does; if the leader fails for a reason of its own, the item runs after all. An item that would
// follow itself, directly or through others, goes on instead.
func (i *Item[T]) Follow(leader *Item[T]) {
	if leader = leader.root(); leader != i {
		i.state, i.leader = following, leader
	}
}

// root returns the item that does the work of this one: itself, unless it follows another.
func (i *Item[T]) root() *Item[T] {
	for i.state == following {
		i = i.leader
	}
	return i
}

// Note attaches a fact to the item that goes into its error, should it fail later.
func (i *Item[T]) Note(key, value string) {
	if i.notes == nil {
		i.notes = make(map[string]string, 1)
	}
	i.notes[key] = value
}
