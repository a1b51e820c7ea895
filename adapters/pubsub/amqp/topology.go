package amqp

import (
	"context"
	"strconv"
	"strings"

	rabbit "github.com/rabbitmq/amqp091-go"
)

// declareExchange makes sure that the exchange of a topic exists. One that does is used as it is.
func (c *connection) declareExchange(ctx context.Context, topic string) error {
	return c.declare(ctx, func(channel *rabbit.Channel) error {
		return channel.ExchangeDeclarePassive(topic, rabbit.ExchangeFanout, true, false, false, false, nil)
	}, func(channel *rabbit.Channel) error {
		return channel.ExchangeDeclare(topic, rabbit.ExchangeFanout, true, false, false, false, nil)
	})
}

// declareQueue makes sure that a queue exists. One that does is used as it is, whatever its type and arguments.
func (c *connection) declareQueue(ctx context.Context, name, kind string) error {
	return c.declare(ctx, func(channel *rabbit.Channel) error {
		_, err := channel.QueueDeclarePassive(name, true, false, false, false, nil)
		return err
	}, func(channel *rabbit.Channel) error {
		_, err := channel.QueueDeclare(name, true, false, false, false, c.arguments(kind))
		return err
	})
}

// declare makes what look does not find. Somebody else may make it meanwhile, with other properties: then look finds it.
func (c *connection) declare(ctx context.Context, look, make func(*rabbit.Channel) error) error {
	err := c.onChannel(ctx, look)
	if !replied(err, rabbit.NotFound) {
		return err
	}
	if err = c.onChannel(ctx, make); replied(err, rabbit.PreconditionFailed) {
		err = c.onChannel(ctx, look)
	}
	return err
}

// subscribed makes sure that the queues of a group exist, and that the group's gets what is published to the topic.
func (c *connection) subscribed(ctx context.Context, names names, kind string) error {
	if err := c.declareExchange(ctx, names.topic); err != nil {
		return err
	}
	for _, queue := range []string{names.topic, names.queue} {
		if err := c.declareQueue(ctx, queue, kind); err != nil {
			return err
		}
	}
	return c.onChannel(ctx, func(channel *rabbit.Channel) error {
		return channel.QueueBind(names.queue, "", names.topic, false, nil)
	})
}

// arguments are those of a queue that is declared. RabbitMQ 4 drops a message of a quorum queue at its 21st delivery unless it is told not
// to; before, there is no limit, and a negative one means something else.
func (c *connection) arguments(kind string) rabbit.Table {
	arguments := rabbit.Table{rabbit.QueueTypeArg: kind}
	version, _ := c.Properties["version"].(string)
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n >= 4 && kind == quorum {
		arguments["x-delivery-limit"] = -1
	}
	return arguments
}
