package nats

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	stock "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

// production are the defaults of the configuration.
func production(address string) Config {
	config := quick(address)
	config.AckWait, config.InFlight, config.Fetch, config.MaxAckPending, config.MaxDeliveries = 30*time.Second, 2000, 1000, 50000, 10
	config.Nack = inflight.Nack{Delay: time.Second, MaxDelay: time.Minute}
	return config
}

// BenchmarkSubscribe reads and acks messages as fast as it can: one operation is one message.
func BenchmarkSubscribe(b *testing.B) {
	address := embedded(b).ClientURL()
	b.Run("leat", func(b *testing.B) {
		broker := join(b, dial(b, production(address)), "g", func(o *pubsub.Options) { o.CloseTimeout = 5 * time.Second })
		consume(b, dial(b, production(address)).Publisher(), broker.Subscriber)
	})
	for name, async := range map[string]bool{"stock": false, "stock-async-acks": true} {
		b.Run(name, func(b *testing.B) {
			js := stock.JetStreamConfig{AutoProvision: true, DurablePrefix: "g", AckAsync: async, SubscribeOptions: []natsgo.SubOpt{natsgo.DeliverAll(), natsgo.AckExplicit()}}
			subscriber, err := stock.NewSubscriber(stock.SubscriberConfig{URL: address, QueueGroupPrefix: "g", JetStream: js}, watermill.NopLogger{})
			require.NoError(b, err)
			consume(b, dial(b, production(address)).Publisher(), subscriber)
		})
	}
}

func consume(b *testing.B, publisher message.Publisher, subscriber message.Subscriber) {
	topic := unique(b)
	publishMany(b, publisher, topic, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	messages, err := subscriber.Subscribe(context.Background(), topic)
	require.NoError(b, err)
	for range b.N {
		(<-messages).Ack()
	}
	require.NoError(b, subscriber.Close()) // when all acks are told
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func publishMany(b *testing.B, publisher message.Publisher, topic string, n int) {
	payload := []byte(`{"userId":"u1","app":"Google Chrome","title":"a title","url":"https://example.com","duration":12.0}`)
	batch := make([]*message.Message, 0, 1000)
	for done := 0; done < n; done += len(batch) {
		batch = batch[:0]
		for range min(1000, n-done) {
			batch = append(batch, message.NewMessage(watermill.NewUUID(), payload))
		}
		require.NoError(b, publisher.Publish(topic, batch...))
	}
}

// BenchmarkPublish publishes, a hundred messages a call.
func BenchmarkPublish(b *testing.B) {
	address := embedded(b).ClientURL()
	ours := dial(b, production(address)).Publisher()
	theirs, err := stock.NewPublisher(stock.PublisherConfig{URL: address, JetStream: stock.JetStreamConfig{AutoProvision: true}}, watermill.NopLogger{})
	require.NoError(b, err)
	defer func() { _ = theirs.Close() }()
	for name, publisher := range map[string]message.Publisher{"leat": ours, "stock": theirs} {
		b.Run(name, func(b *testing.B) {
			topic := unique(b)
			batch := make([]*message.Message, 100)
			for i := range batch {
				batch[i] = message.NewMessage(watermill.NewUUID(), fmt.Append(nil, i))
			}
			b.ReportAllocs()
			for done := 0; done < b.N; done += len(batch) {
				require.NoError(b, publisher.Publish(topic, batch[:min(len(batch), b.N-done)]...))
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}
