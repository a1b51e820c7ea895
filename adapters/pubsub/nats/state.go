package nats

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// state returns what the server knows of the durable consumer of a group, nil if it, or its stream, does not exist; and when the stream
// was born, zero if it does not exist.
func (b *Backend) state(ctx context.Context, topic, group string) (*jetstream.ConsumerInfo, time.Time, error) {
	stream, err := b.existing(ctx, topic)
	if stream == nil || err != nil {
		return nil, time.Time{}, err
	}
	born := stream.CachedInfo().Created
	consumer, err := stream.Consumer(ctx, durableName(group, topic, stream.CachedInfo().Config.Subjects))
	if absent(err) || errors.Is(err, jetstream.ErrNotPullConsumer) {
		return nil, born, nil
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	return consumer.CachedInfo(), born, nil
}

// existing returns the stream of a topic, nil if there is none.
func (b *Backend) existing(ctx context.Context, topic string) (jetstream.Stream, error) {
	name, err := b.streamName(ctx, topic)
	if err == nil {
		var stream jetstream.Stream
		if stream, err = b.js.Stream(ctx, name); err == nil {
			return stream, nil
		}
		b.forget(topic)
	}
	if absent(err) {
		err = nil
	}
	return nil, err
}

func (b *Backend) hasDurable(ctx context.Context, topic, group string) (bool, error) {
	info, _, err := b.state(ctx, topic, group)
	return info != nil, err
}

func absent(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrConsumerNotFound)
}

// Floors returns the position after the server's ack floor, or the lowest that this process holds, if that is below. A group that does
// not exist has the zero position. A topic that does not exist has no source; of a stream that was deleted, there is only what is
// held here.
func (g group) Floors(ctx context.Context, topic string) (map[string]delivery.Position, error) {
	ctx, done := g.backend.call(ctx)
	defer done()
	info, born, err := g.backend.state(ctx, topic, g.options.Group)
	if err == nil && !born.IsZero() {
		err = g.backend.same(ctx, topic, born)
	}
	if err != nil {
		return nil, g.backend.failure(ctx, err, "read the ack floor of %q", topic)
	}
	floors := make(map[string]delivery.Position)
	if !born.IsZero() {
		var floor delivery.Position
		if info != nil && info.AckFloor.Stream > 0 {
			floor.Major = info.AckFloor.Stream + 1
		}
		floors[sourceName(g.options.Namespace, topic, born)] = floor
	}
	// After the server: what left its list of pending messages with an ack has left the window by now, and nothing else has.
	for source, lowest := range g.subscriber.Lowest(topic) {
		if floor, ok := floors[source]; !ok || lowest.Less(floor) {
			floors[source] = lowest
		}
	}
	return floors, nil
}

// same returns an error if the stream of a topic is not the one that was born then: what was read of its consumer since may be another's.
func (b *Backend) same(ctx context.Context, topic string, born time.Time) error {
	stream, err := b.existing(ctx, topic)
	if err != nil {
		return err
	}
	if stream == nil || !stream.CachedInfo().Created.Equal(born) {
		return fault.Unavailablef("the stream was deleted at this moment")
	}
	return nil
}

// Lag returns how many messages the server has not delivered to the group, and how many it has delivered that are not acked.
func (g group) Lag(ctx context.Context, topic string) (pubsub.Lag, error) {
	ctx, done := g.backend.call(ctx)
	defer done()
	info, _, err := g.backend.state(ctx, topic, g.options.Group)
	if err != nil {
		return pubsub.Lag{}, g.backend.failure(ctx, err, "read the lag of %q", topic)
	}
	if info == nil {
		return pubsub.Lag{}, nil
	}
	return pubsub.Lag{Waiting: int64(info.NumPending), Pending: int64(info.NumAckPending)}, nil
}
