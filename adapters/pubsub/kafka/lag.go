package kafka

import (
	"context"

	"leat/adapters/pubsub"
)

// Lag returns what this process has in hand as pending. Everything else that is not below the commits of the group is waiting,
// what other processes have in hand too: Kafka does not know of it. The markers of transactions count as messages.
func (g *group) Lag(ctx context.Context, topic string) (pubsub.Lag, error) {
	// Commits before ends: an offset that is committed in between must not make the lag negative.
	_, committed, err := g.committed(ctx, topic)
	if err != nil {
		return pubsub.Lag{}, failure(err, "read the commits of %q", topic)
	}
	starts, err := g.offsets(ctx, topic, g.backend.admin.ListStartOffsets)
	if err != nil {
		return pubsub.Lag{}, failure(err, "read the starts of %q", topic)
	}
	ends, err := g.offsets(ctx, topic, g.backend.admin.ListEndOffsets)
	if err != nil {
		return pubsub.Lag{}, failure(err, "read the ends of %q", topic)
	}
	read := g.read(topic)
	lag := pubsub.Lag{Pending: int64(g.subscriber.InHand(topic))}
	for number, end := range ends {
		lag.Waiting += max(0, end-max(committed[number], starts[number], read[number]))
	}
	return lag, nil
}
