package amqp

import (
	"context"

	rabbit "github.com/rabbitmq/amqp091-go"

	"leat/adapters/pubsub"
)

// Lag returns how many messages the queue of the group has, together with the queue of the topic, and how many of those that were
// delivered this process has not finished.
func (g *group) Lag(ctx context.Context, topic string) (pubsub.Lag, error) {
	names, err := g.names(topic)
	if err != nil {
		return pubsub.Lag{}, err
	}
	conn, err := g.backend.reading.get(ctx)
	if err != nil {
		return pubsub.Lag{}, unavailable(err, "read the lag of %q", topic)
	}
	lag := pubsub.Lag{}
	for _, queue := range []string{names.queue, names.topic} {
		n, err := conn.waiting(ctx, queue)
		if err != nil {
			return pubsub.Lag{}, unavailable(err, "read the lag of %q", topic)
		}
		lag.Waiting += n
	}
	lag.Pending = int64(g.subscriber.InHand(topic))
	return lag, nil
}

// waiting returns how many messages of a queue are not delivered; 0 if there is no such queue.
func (c *connection) waiting(ctx context.Context, queue string) (n int64, err error) {
	err = c.onChannel(ctx, func(channel *rabbit.Channel) error {
		state, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil)
		n = int64(state.Messages)
		return err
	})
	if replied(err, rabbit.NotFound) {
		return 0, nil
	}
	return n, err
}
