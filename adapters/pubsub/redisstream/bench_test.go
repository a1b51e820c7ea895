package redisstream

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	stock "github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

var sample = []string{
	"userId", "u1234567", "app", "Google Chrome", "title", "Pull request #12 · leat", "url", "https://github.com/some/where?tab=1",
	"duration", "12.0", "session", "3", "sessionDate", "2025-10-14", "sessionMinutes", "25",
	"timestamp", "1.7604210325E9", "isEnd", "false",
}

func fill(b testing.TB, client *redis.Client, stream string, n int) {
	for done := 0; done < n; {
		pipe := client.Pipeline()
		for range min(1000, n-done) {
			pipe.XAdd(context.Background(), &redis.XAddArgs{Stream: stream, Values: sample})
			done++
		}
		_, err := pipe.Exec(context.Background())
		require.NoError(b, err)
	}
}

// bareLoop reads, decodes the fields and acks, and nothing else.
func bareLoop(b testing.TB, client *redis.Client, stream string, n int) time.Duration {
	ctx := context.Background()
	require.NoError(b, client.XGroupCreate(ctx, stream, "bare", "0").Err())
	start := time.Now()
	for done := 0; done < n; {
		streams, err := client.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: "bare", Consumer: "c", Streams: []string{stream, ">"}, Count: 500, Block: time.Second,
		}).Result()
		require.NoError(b, err)
		ids := make([]string, 0, 500)
		for _, m := range streams[0].Messages {
			ids = append(ids, m.ID)
		}
		require.NoError(b, client.XAck(ctx, stream, "bare", ids...).Err())
		done += len(ids)
	}
	return time.Since(start)
}

// route runs a router with a handler that does nothing until n messages have passed.
func route(b testing.TB, subscriber message.Subscriber, stream string, n int) time.Duration {
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	require.NoError(b, err)
	var handled atomic.Int64
	all := make(chan struct{})
	router.AddConsumerHandler("none", stream, subscriber, func(*message.Message) error {
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
func usual(client redis.UniversalClient, group string) options {
	return options{
		Config: Config{
			Consumer: "c", InFlight: 2000, Count: 500, Block: time.Second, Claim: Claim{MinIdle: 30 * time.Second},
			Nack: inflight.Nack{Delay: time.Second, MaxDelay: time.Minute}, MaxDeliveries: 10, Lease: 5 * time.Second,
		},
		Options: pubsub.Options{Group: group, CloseTimeout: 10 * time.Second}, Client: client,
	}
}

// BenchmarkAgainstBareLoop prints how the subscriber with a router compares to the fastest loop that there can
// be, and to the stock subscriber. The three take turns.
func BenchmarkAgainstBareLoop(b *testing.B) {
	const n, few = 200_000, 10_000
	ctx := context.Background()
	client := connect(b, startRedis(b, "--appendonly", "no").addr)
	var bare, ours, theirs time.Duration
	for i := range b.N {
		stream := fmt.Sprint("s", i)
		fill(b, client, stream, n)
		bare += bareLoop(b, client, stream, n)
		subscriber, err := newSubscriber(usual(client, "ours"))
		require.NoError(b, err)
		ours += route(b, subscriber, stream, n)
		left, err := client.XPending(ctx, stream, "ours").Result()
		require.NoError(b, err)
		require.Zero(b, left.Count, "acks were lost at the stop")

		publisher := NewPublisher(client, PublisherOptions{})
		messages := make([]*message.Message, few)
		for j := range messages {
			messages[j] = message.NewMessage("", []byte("{}"))
		}
		require.NoError(b, publisher.Publish(stream+"few", messages...))
		reference, err := stock.NewSubscriber(stock.SubscriberConfig{
			Client: redis.NewClient(&redis.Options{Addr: client.Options().Addr}), Consumer: "c", ConsumerGroup: "theirs",
		}, nil)
		require.NoError(b, err)
		theirs += route(b, reference, stream+"few", few)
		require.NoError(b, client.Del(ctx, stream, stream+"few").Err())
	}
	rate := func(d time.Duration, n int) float64 { return float64(n*b.N) / d.Seconds() }
	b.ReportMetric(rate(bare, n), "bare/s")
	b.ReportMetric(rate(ours, n), "ours/s")
	b.ReportMetric(rate(theirs, few), "stock/s")
	b.ReportMetric(rate(ours, n)/rate(bare, n), "of_bare")
	b.ReportMetric(rate(ours, n)/rate(theirs, few), "times_stock")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPublish compares one call with many messages to the stock publisher.
func BenchmarkPublish(b *testing.B) {
	const n = 10_000
	client := connect(b, startRedis(b, "--appendonly", "no").addr)
	messages := make([]*message.Message, n)
	for i := range messages {
		messages[i] = message.NewMessage(watermill.NewUUID(), []byte(`{"userId":"u1"}`))
		messages[i].Metadata["a"] = "b"
	}
	ours := NewPublisher(client, PublisherOptions{})
	theirs, err := stock.NewPublisher(stock.PublisherConfig{Client: client}, nil)
	require.NoError(b, err)
	var times [2]time.Duration
	for range b.N {
		for i, publisher := range []message.Publisher{ours, theirs} {
			began := time.Now()
			require.NoError(b, publisher.Publish("s", messages...))
			times[i] += time.Since(began)
			require.NoError(b, client.Del(context.Background(), "s").Err())
		}
	}
	b.ReportMetric(float64(n*b.N)/times[0].Seconds(), "ours/s")
	b.ReportMetric(float64(n*b.N)/times[1].Seconds(), "stock/s")
	b.ReportMetric(times[1].Seconds()/times[0].Seconds(), "times_stock")
	b.ReportMetric(0, "ns/op")
}
