package inflight

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Source is one topic of a broker, read as one consumer of a group. Errors that are retried are of kind Unavailable. What only a
// person can mend (wrong credentials, a missing permission) is of kind Invalid; it ends Subscribe if it
// comes from the first Prepare, and is retried like any other error later on.
type Source[E any] interface {
	// Prepare connects, and creates what must exist for reading: group, queue, consumer. It is called by Subscribe, and again by the
	// reader until it has succeeded once.
	Prepare(ctx context.Context) error

	// Fetch does one round of reading: it asks Subscription.Room for free slots, waits for messages no longer than about a
	// second, and hands them to Subscription.Take. It returns soon after ctx ends. It is called by the reader only, while the gate is
	// open, and again at once after nil. After an error the reader waits and calls it again: Fetch repairs what is broken.
	Fetch(ctx context.Context) error

	// Message makes the message of the next delivery, with the producer's UUID, payload and metadata. The subscription
	// adds what package delivery defines, and the context. It must not block.
	Message(item *Item[E]) *message.Message

	// Ack tells the broker that the handlers are done with the items, and returns when the broker will not deliver them
	// again, as far as it can promise that. After an error it is called again with the same items, and perhaps more.
	// It is called by one goroutine at a time, concurrently with Fetch.
	Ack(ctx context.Context, items []*Item[E]) error

	// Return hands items back, so that the broker delivers them again, soon, to anyone, if it can without counting this as a
	// delivery. It may be called concurrently with Fetch, though not with Ack.
	Return(ctx context.Context, items []*Item[E]) error

	// Keep runs beside the reader, from the first success of Prepare until every outcome is told, when ctx ends. It
	// tells the broker which messages are still held, where brokers want to hear that. It may return at once.
	Keep(ctx context.Context)

	// Close gives up what the source holds. It is called once, last, even if Prepare never succeeded.
	Close(ctx context.Context) error

	// Consumer is the name under which the source reads now.
	Consumer() string
}
