package amqp

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
)

// usual are the defaults.
func usual(queueType string) Config {
	config := quick(serverAddr)
	config.InFlight, config.MaxHold, config.MaxDeliveries = 2000, 10*time.Minute, 10
	config.Queue.Type = queueType
	return config
}

func many(n int) []*message.Message {
	messages := make([]*message.Message, n)
	for i := range messages {
		messages[i] = message.NewMessage(watermill.NewUUID(), []byte(`{"userId":"u1234567","app":"Google Chrome","title":"Pull request #12","duration":"12.0","timestamp":"1.7604210325E9"}`))
	}
	return messages
}

// route runs a router with a handler that does nothing until n messages have passed.
func route(b testing.TB, subscriber message.Subscriber, topic string, n int) time.Duration {
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	require.NoError(b, err)
	var handled atomic.Int64
	all := make(chan struct{})
	router.AddConsumerHandler("none", topic, subscriber, func(*message.Message) error {
		if handled.Add(1) == int64(n) {
			close(all)
		}
		return nil
	})
	start := time.Now()
	finished := make(chan struct{})
	go func() { defer close(finished); _ = router.Run(context.Background()) }()
	<-all
	took := time.Since(start)
	require.NoError(b, router.Close())
	<-finished
	return took
}

// BenchmarkAgainstStock reads and publishes through both types of queue, with a router and a handler that does nothing, beside the
// stock adapter with one subscription. The two take turns.
func BenchmarkAgainstStock(b *testing.B) {
	for _, queueType := range []string{quorum, classic} {
		b.Run(queueType, func(b *testing.B) {
			const n, few = 50_000, 3_000
			var read, readStock, publish, publishStock time.Duration
			for range b.N {
				topic := unique(b, "ours", "theirs")
				backend := connect(b, usual(queueType))
				broker := open(b, backend, "ours", func(o *pubsub.Options) { o.CloseTimeout = 5 * time.Second })
				prepare(b, broker, topic)
				messages := many(n)
				start := time.Now()
				require.NoError(b, backend.Publisher().Publish(topic, messages...))
				publish += time.Since(start)
				broker = open(b, backend, "ours", func(o *pubsub.Options) { o.CloseTimeout = 5 * time.Second })
				read += route(b, broker.Subscriber, topic, n)

				config := stockConfig("theirs", queueType)
				config.Publish.ConfirmDelivery, config.Publish.ChannelPoolSize = true, 1
				publisher, subscriber := newStock(b, config)
				require.NoError(b, subscriber.SubscribeInitialize(topic))
				start = time.Now()
				require.NoError(b, publisher.Publish(topic, messages[:few]...))
				publishStock += time.Since(start)
				readStock += route(b, subscriber, topic, few)
			}
			rate := func(d time.Duration, n int) float64 { return float64(n*b.N) / d.Seconds() }
			b.ReportMetric(rate(read, n), "read/s")
			b.ReportMetric(rate(readStock, few), "stock_read/s")
			b.ReportMetric(rate(publish, n), "publish/s")
			b.ReportMetric(rate(publishStock, few), "stock_publish/s")
			b.ReportMetric(rate(read, n)/rate(readStock, few), "times_stock_read")
			b.ReportMetric(rate(publish, n)/rate(publishStock, few), "times_stock_publish")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// prepare makes the queue of the group, and closes the subscriber.
func prepare(b testing.TB, broker pubsub.Broker, topic string) {
	subscribe(b, broker, topic)
	require.NoError(b, broker.Subscriber.Close())
}
