package gochannel

import (
	"context"
	"time"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/delivery"
)

// view is what a group sees of the topics beside their messages.
type view struct {
	backend    *Backend
	subscriber *inflight.Subscriber[*entry]
	prefix     string
	options    pubsub.Options
}

// Floors implements pubsub.FloorReader.
func (v view) Floors(_ context.Context, topic string) (map[string]delivery.Position, error) {
	floor := pubsub.TimeFloor(time.Now(), v.subscriber.Oldest(topic), v.options.DedupWindow)
	return map[string]delivery.Position{v.prefix + topic: floor}, nil
}

// Lag implements pubsub.LagReader. Both numbers are exact, and of the whole group; a nacked message is pending. Everything waits for
// a group that has not subscribed yet.
func (v view) Lag(_ context.Context, name string) (pubsub.Lag, error) {
	v.backend.mu.Lock()
	t, ok := v.backend.topics[name]
	v.backend.mu.Unlock()
	if !ok {
		return pubsub.Lag{}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.groups[v.options.Group]
	if !ok {
		return pubsub.Lag{Waiting: int64(t.count)}, nil
	}
	return pubsub.Lag{Waiting: int64(g.waiting), Pending: int64(len(g.held))}, nil
}
