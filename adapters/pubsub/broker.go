// Package pubsub is what every message broker offers to leat. Each backend has a folder below it.
package pubsub

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/delivery"
)

// Broker is one backend, ready to use.
type Broker struct {
	Publisher  message.Publisher
	Flat       FlatPublisher
	Subscriber message.Subscriber
	// Floors reports ack floors; nil where the backend has no positions.
	Floors FloorReader
	// Lag reports what waits; nil where the backend cannot tell.
	Lag          LagReader
	Capabilities Capabilities
}

// Field is a field of an entry.
type Field struct{ Name, Value string }

// FlatPublisher publishes entries that programs without Watermill read and write.
type FlatPublisher interface {
	// PublishFields adds the entries to the topic in their order. After an error, part of them may be there.
	PublishFields(ctx context.Context, topic string, entries ...[]Field) error
}

// Capabilities is what a backend can and cannot do, as data: start-up checks it against what a pipeline needs.
type Capabilities struct {
	Positions bool          // messages carry a source and a position, and there is an ack floor
	MaxHold   time.Duration // how long a message may be held without an outcome; 0 means for ever
}

// FloorReader reports how far a topic is done.
type FloorReader interface {
	// Floors returns, for each source of the topic, the position below which the group has nothing unacked and this process
	// has nothing in hand. Others may have: the ack floor is the lowest that any process of the group says.
	Floors(ctx context.Context, topic string) (map[string]delivery.Position, error)
}

// LagReader reports what of a topic its group has not finished.
type LagReader interface {
	Lag(ctx context.Context, topic string) (Lag, error)
}

// Lag is what of a topic a consumer group has not finished.
type Lag struct {
	Waiting int64 // not yet delivered; -1 where the backend cannot tell
	Pending int64 // delivered, not acked
}

// Gate pauses reading. Subscribers ask it before each read.
type Gate interface {
	// Wait blocks while reading is paused. It returns the context's error if that ends first.
	Wait(ctx context.Context) error
}
