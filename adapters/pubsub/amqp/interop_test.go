package amqp

import (
	"context"
	"testing"

	stock "github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	rabbit "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// Programs without Watermill publish to the exchange, or to the queue of the topic.
func TestForeignProducer(t *testing.T) {
	topic := unique(t, "g")
	messages := subscribe(t, open(t, connect(t, quick(serverAddr)), "g"), topic)
	send := func(exchange, key string, publishing rabbit.Publishing) {
		onServer(t, func(channel *rabbit.Channel) {
			require.NoError(t, channel.Publish(exchange, key, true, false, publishing))
		})
	}
	send(topic, "", rabbit.Publishing{Body: []byte(`{"userId":"u1"}`)})
	msg := receive(t, messages)
	require.Equal(t, `{"userId":"u1"}`, string(msg.Payload))
	require.Empty(t, msg.UUID)
	msg.Ack()
	send("", topic, rabbit.Publishing{MessageId: "id-7", Headers: rabbit.Table{"retries": int32(3), "tags": []any{"a"}}})
	msg = receive(t, messages)
	require.Equal(t, "id-7", msg.UUID)
	require.Empty(t, msg.Payload)
	require.Equal(t, "3", msg.Metadata["retries"])
	require.Equal(t, `["a"]`, msg.Metadata["tags"])
	msg.Ack()
}

// The stock adapter's durable queue is the queue of the topic: we read what it publishes, and it reads what we publish while
// there is no group.
func TestStockDurableQueue(t *testing.T) {
	topic := unique(t, "g")
	config := stock.NewDurableQueueConfig(uri(serverAddr))
	config.Queue.Arguments = rabbit.Table{rabbit.QueueTypeArg: quorum}
	publisher, subscriber := newStock(t, config)
	backend := connect(t, quick(serverAddr))
	sent := texts(context.Background(), "ours")[0]
	sent.Metadata.Set("k", "v")
	require.NoError(t, backend.Publisher().Publish(topic, sent))
	ctx, cancel := context.WithCancel(context.Background())
	theirs, err := subscriber.Subscribe(ctx, topic)
	require.NoError(t, err)
	got := receive(t, theirs)
	require.True(t, sent.Equals(got))
	got.Ack()
	cancel()
	require.NoError(t, subscriber.Close())

	messages := subscribe(t, open(t, backend, "g"), topic)
	sent = texts(context.Background(), "theirs")[0]
	require.NoError(t, publisher.Publish(topic, sent))
	got = receive(t, messages)
	require.Equal(t, sent.UUID, got.UUID)
	require.Equal(t, sent.Payload, got.Payload)
	got.Ack()
}

// A queue that somebody has declared otherwise is used as it is.
func TestQueueExists(t *testing.T) {
	topic := unique(t, "g")
	onServer(t, func(channel *rabbit.Channel) {
		for _, queue := range []string{topic, topic + "_g"} {
			_, err := channel.QueueDeclare(queue, true, false, false, false, rabbit.Table{"x-max-length": 100})
			require.NoError(t, err)
		}
		require.NoError(t, channel.ExchangeDeclare(topic, rabbit.ExchangeDirect, true, false, false, false, nil))
	})
	backend := connect(t, quick(serverAddr))
	messages := subscribe(t, open(t, backend, "g"), topic)
	publish(t, backend, topic, "1")
	receive(t, messages).Ack()
	require.Zero(t, ready(t, topic))
}
