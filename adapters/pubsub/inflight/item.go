package inflight

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Item is a message that a subscription holds: from the read until the broker has confirmed its outcome. The backend fills
// the exported fields before Take, and afterwards writes only Entry, and that within Subscription.Unfinished.
type Item[E any] struct {
	// Entry is the backend's own: what it makes the message of, and what it acks it with.
	Entry E
	// ID names the message in its source. Where the backend has positions, it is the position ("N" or "N-M").
	ID string
	// Source is what the position counts in: the topic, with the namespace before it and the partition behind it, if any.
	Source string
	// Deliveries counts how often the broker has handed the message out, this time included; at least 1. A backend that
	// cannot tell says 1.
	Deliveries int
	// Size is how many bytes the item keeps in memory.
	Size int
	// PublishedAt is when the broker took the message, in epoch milliseconds; empty where it does not tell.
	PublishedAt string
	// Malformed says why the message could not be decoded; empty if it could.
	Malformed string

	msg       *message.Message // of the current delivery
	ctx       *messageContext  // of the current delivery
	firstCtx  messageContext   // of the first delivery; spares an allocation
	received  time.Time        // when the broker handed it out
	due       time.Time        // of a nacked item: when it is delivered again
	nacks     int
	alone     bool // a suspect: delivered with nothing else in flight
	marked    bool // there is a note of it
	exhausted bool // its runs alone ended without an outcome
	lost      bool // another consumer has it now
	resent    bool // the broker gave it to us once more: an ack sent before does not count
}
