// Package pubsub is what every message broker offers to leat. Each backend has a folder below it; inflight is the half of a
// subscriber that they share, and pubsubtest the conformance suite that all of them pass.
package pubsub

import (
	"context"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/delivery"
)

// Backend is a connection to a message broker, shared by all pipelines that use it. It is safe for concurrent use.
type Backend interface {
	// Broker returns the broker as one consumer group sees it. Errors are of kind Invalid: the options are wrong.
	Broker(options Options) (Broker, error)
	// CheckTopic refuses what the backend cannot take as the name of a topic. Errors are of kind Invalid.
	CheckTopic(topic string) error
	// Publisher publishes to any topic. It ends with the backend.
	Publisher() Publisher
	// Capabilities says what the backend can do as it is configured.
	Capabilities() Capabilities
	// Ping asks whether the broker answers. Errors are of kind Invalid if only a person can mend it (wrong credentials, a missing
	// permission), else Unavailable.
	Ping(ctx context.Context) error
	// Close ends the connection. Brokers are closed before.
	Close() error
}

// Options is what a Broker of any backend needs.
type Options struct {
	// Namespace is put before the topic in the source of a message, as "namespace:topic". It keeps positions of
	// two servers apart in one store. May be empty.
	Namespace string
	// Group is the consumer group.
	Group string
	// DedupWindow is for how long, on a backend without positions, a record may wait to be counted: what is older counts as done.
	DedupWindow time.Duration
	// Notes returns the notes of a topic. Nil: suspects run alone, and are never given up.
	Notes func(topic string) Notes
	// Gate pauses reading; nil never does.
	Gate Gate
	// Logger may be nil.
	Logger *slog.Logger
	// Observe counts what happens to messages. It is called often and must not block. May be nil.
	Observe func(topic string, event Event, n int)
	// CloseTimeout is how long a stop waits for messages whose handlers have begun.
	CloseTimeout time.Duration
}

// Broker is a backend as one consumer group sees it.
type Broker struct {
	Publisher  Publisher
	Subscriber message.Subscriber
	Floors     FloorReader
	// Lag reports what waits; nil where the backend cannot tell.
	Lag          LagReader
	Capabilities Capabilities
}

// Publisher publishes messages in the wire format of the stock Watermill adapter of the backend. Messages of one call go out
// together where the backend can. The context of the first message bounds the call. After an error part of them may have arrived.
type Publisher interface {
	message.Publisher
	FlatPublisher
}

// Field is a field of an entry.
type Field struct{ Name, Value string }

// FlatPublisher publishes entries that programs without Watermill read and write.
type FlatPublisher interface {
	// PublishFields adds the entries to the topic in their order: as flat fields where the broker knows such, else as a
	// payload that is a JSON object of strings. After an error, part of them may be there.
	PublishFields(ctx context.Context, topic string, entries ...[]Field) error
}

// FloorReader reports how far a topic is done.
type FloorReader interface {
	// Floors returns, for each source of the topic, the position below which the group has nothing unacked and this process
	// has nothing in hand. Others may have: the ack floor is the lowest that any process of the group says.
	//
	// A backend without positions has one source, in which positions are epoch milliseconds: it returns the time before which
	// nothing is expected to be delivered again, TimeFloor.
	Floors(ctx context.Context, topic string) (map[string]delivery.Position, error)
}

// TimeFloor is the ack floor of a backend without positions: the beginning of the dedup window, or the arrival of the
// oldest message in hand (zero: none), whichever comes first.
func TimeFloor(now, oldest time.Time, window time.Duration) delivery.Position {
	floor := now.Add(-window)
	if !oldest.IsZero() && oldest.Before(floor) {
		floor = oldest
	}
	return delivery.Position{Major: uint64(max(0, floor.UnixMilli()))}
}

// LagReader reports what of a topic its group has not finished.
type LagReader interface {
	// Lag returns zero for a topic or group that does not exist. Errors are of kind Unavailable.
	Lag(ctx context.Context, topic string) (Lag, error)
}

// Lag is what of a topic a consumer group has not finished.
type Lag struct {
	Waiting int64 // not yet delivered; -1 where the backend cannot tell
	Pending int64 // delivered, not acked; only those of this process where the backend cannot tell of others
}

// Gate pauses reading. Subscribers ask it before each read.
type Gate interface {
	// Wait blocks while reading is paused. It returns the context's error if that ends first.
	Wait(ctx context.Context) error
}

// Notes remembers, across the end of processes, which suspects run alone, and how often each has. It is that of one topic and group.
type Notes interface {
	// Runs returns how often each of the messages has run alone without an outcome; those never noted are absent.
	Runs(ctx context.Context, ids []string) (map[string]int, error)
	// Note says that the message runs alone now, for so many times with this one. It may be repeated.
	Note(ctx context.Context, id string, runs int) error
	// Forget removes the notes of messages that have an outcome. It may be repeated.
	Forget(ctx context.Context, ids ...string) error
}
