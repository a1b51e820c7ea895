package amqp

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// group is the broker as one consumer group sees it.
type group struct {
	backend    *Backend
	options    pubsub.Options
	subscriber *inflight.Subscriber[entry]
}

// open makes the source of a topic. Errors are of kind Invalid.
func (g *group) open(topic string, subscription *inflight.Subscription[entry]) (inflight.Source[entry], error) {
	names, err := g.names(topic)
	if err != nil {
		return nil, err
	}
	return newSource(g.backend, names, g.source(topic), subscription), nil
}

// source is what the metadata names as the source of a topic's messages.
func (g *group) source(topic string) string {
	if g.options.Namespace == "" {
		return topic
	}
	return g.options.Namespace + ":" + topic
}

func (g *group) names(topic string) (names, error) {
	n := names{topic: topic, queue: topic + "_" + g.options.Group}
	if err := checkName(topic); err != nil {
		return n, err
	}
	return n, checkName(n.queue)
}

// names is what a topic is called on the server.
type names struct {
	topic string // the exchange that all groups' queues are bound to, and the queue that has what was published when there were none
	queue string // that of the group
}

// checkName refuses what cannot be the name of an exchange or a queue.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > 255 || !utf8.ValidString(name):
		return fault.Invalidf("topic", "amqp: %q cannot be a name of RabbitMQ: that has 1 to 255 bytes of UTF-8", name)
	case strings.HasPrefix(name, "amq."):
		return fault.Invalidf("topic", "amqp: %q cannot be a topic: RabbitMQ keeps names that begin with amq. for itself", name)
	}
	return nil
}

// Floors returns the time before which nothing is expected to be delivered again, as pubsub.TimeFloor.
func (g *group) Floors(_ context.Context, topic string) (map[string]delivery.Position, error) {
	floor := pubsub.TimeFloor(time.Now(), g.subscriber.Oldest(topic), g.options.DedupWindow)
	return map[string]delivery.Position{g.source(topic): floor}, nil
}
