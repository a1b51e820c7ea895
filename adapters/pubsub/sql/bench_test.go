package sql

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

var sample = []byte(`{"userId":"u1234567","app":"Google Chrome","title":"Pull request #12","url":"https://github.com/some/where?tab=1",` +
	`"duration":"12.0","session":"3","sessionDate":"2025-10-14","sessionMinutes":"25","timestamp":"1.7604210325E9","isEnd":"false"}`)

func samples(n int) []*message.Message {
	messages := make([]*message.Message, n)
	for i := range messages {
		messages[i] = message.NewMessage(watermill.NewUUID(), sample)
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

// usual are the defaults.
func usual(b testing.TB) Config {
	return Config{
		URI: server(b).String(), Consumer: "c", InFlight: 2000, Count: 500, Poll: 100 * time.Millisecond, Lease: 30 * time.Second,
		Nack: inflight.Nack{Delay: time.Second, MaxDelay: time.Minute}, MaxDeliveries: 10, PoolSize: 8, Timeout: 10 * time.Second,
	}
}

// BenchmarkAgainstStock prints how reading through a router compares to the stock subscriber.
func BenchmarkAgainstStock(b *testing.B) {
	const n, few = 50_000, 5_000
	backend := connect(b, usual(b))
	publisher := backend.Publisher()
	var ours, theirs time.Duration
	for range b.N {
		topic := rand.Text()
		require.NoError(b, publisher.Publish(topic, samples(n)...))
		broker, err := backend.Broker(pubsub.Options{Group: "ours", CloseTimeout: 10 * time.Second})
		require.NoError(b, err)
		ours += route(b, broker.Subscriber, topic, n)
		lag, err := broker.Lag.Lag(context.Background(), topic)
		require.NoError(b, err)
		require.Zero(b, lag, "acks were lost at the stop")

		topic = rand.Text()
		require.NoError(b, publisher.Publish(topic, samples(few)...))
		_, stock := stockAdapter(b, server(b).String(), "theirs", "BYTEA")
		theirs += route(b, stock, topic, few)
	}
	rate := func(d time.Duration, n int) float64 { return float64(n*b.N) / d.Seconds() }
	b.ReportMetric(rate(ours, n), "ours/s")
	b.ReportMetric(rate(theirs, few), "stock/s")
	b.ReportMetric(rate(ours, n)/rate(theirs, few), "times_stock")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPublish compares calls with many messages, and calls with one, to the stock publisher.
func BenchmarkPublish(b *testing.B) {
	const n, single = 10_000, 200
	ours := connect(b, usual(b)).Publisher()
	theirs, _ := stockAdapter(b, server(b).String(), "theirs", "BYTEA")
	many := samples(n)
	var times, ones [2]time.Duration
	for range b.N {
		for i, publisher := range []message.Publisher{ours, theirs} {
			topic := rand.Text()
			require.NoError(b, publisher.Publish(topic, many[0])) // the tables
			began := time.Now()
			for part := 0; part < n; part += 1000 {
				require.NoError(b, publisher.Publish(topic, many[part:part+1000]...))
			}
			times[i] += time.Since(began)
			began = time.Now()
			for _, msg := range many[:single] {
				require.NoError(b, publisher.Publish(topic, msg))
			}
			ones[i] += time.Since(began)
		}
	}
	b.ReportMetric(float64(n*b.N)/times[0].Seconds(), "ours/s")
	b.ReportMetric(float64(n*b.N)/times[1].Seconds(), "stock/s")
	b.ReportMetric(ones[0].Seconds()*1e6/float64(single*b.N), "ours_µs/single")
	b.ReportMetric(ones[1].Seconds()*1e6/float64(single*b.N), "stock_µs/single")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLatency prints the time from a publish to the handler, with nothing else to do.
func BenchmarkLatency(b *testing.B) {
	const n = 200
	backend := connect(b, usual(b))
	publisher, topic := backend.Publisher(), rand.Text()
	broker, err := backend.Broker(pubsub.Options{Group: "g", CloseTimeout: time.Second})
	require.NoError(b, err)
	messages, err := broker.Subscriber.Subscribe(context.Background(), topic)
	require.NoError(b, err)
	var took time.Duration
	for range b.N {
		for range n {
			require.NoError(b, publisher.Publish(topic, samples(1)...))
			began := time.Now()
			(<-messages).Ack()
			took += time.Since(began)
		}
	}
	require.NoError(b, broker.Subscriber.Close())
	b.ReportMetric(took.Seconds()*1e6/float64(n*b.N), "µs/after_publish")
	b.ReportMetric(0, "ns/op")
}
