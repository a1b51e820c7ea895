package redisstream

import (
	"context"
	"testing"
	"time"

	stock "github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/adapters/pubsub/pubsubtest"
)

// conforming are the settings that the conformance suite asks for.
var conforming = Config{
	InFlight: 200, Count: 100, Block: 100 * time.Millisecond, Claim: Claim{MinIdle: 1500 * time.Millisecond},
	Nack: inflight.Nack{Delay: 50 * time.Millisecond, MaxDelay: 200 * time.Millisecond}, MaxDeliveries: 2, Lease: 1500 * time.Millisecond,
}

// plain returns a client as leat makes it, which ends with the test.
func plain(t testing.TB, addr string) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// harness is how the suite gets at a Redis; wrap may change what is known of it.
func harness(addr string, wrap func(*Backend) pubsub.Backend) pubsubtest.Harness {
	open := func(client redis.UniversalClient) pubsub.Backend {
		return wrap(NewBackend(client, conforming, 5*time.Second, nil))
	}
	return pubsubtest.Harness{
		Kind:    "redisstream",
		Connect: func(t testing.TB) pubsub.Backend { return open(plain(t, addr)) },
		Link: func(t testing.TB) (pubsub.Backend, func(), func()) {
			through, cut, mend := startProxy(t, addr)
			return open(plain(t, through)), cut, mend
		},
		Redelivered: 2500 * time.Millisecond,
		Malformed: func(t testing.TB, topic string) {
			require.NoError(t, plain(t, addr).XAdd(context.Background(), &redis.XAddArgs{Stream: topic, Values: []string{"title", "\xff"}}).Err())
		},
		Stock: func(t testing.TB, group string) (message.Publisher, message.Subscriber) {
			publisher, err := stock.NewPublisher(stock.PublisherConfig{Client: plain(t, addr)}, nil)
			require.NoError(t, err)
			subscriber, err := stock.NewSubscriber(stock.SubscriberConfig{Client: plain(t, addr), ConsumerGroup: group, Consumer: "stock"}, nil)
			require.NoError(t, err)
			return publisher, subscriber
		},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	pubsubtest.Run(t, harness(startRedis(t).addr, func(b *Backend) pubsub.Backend { return b }))
}

// TestConformanceOfMiniredis holds that what tests and --embedded run on behaves as a Redis does, apart from the lag, which it miscounts.
func TestConformanceOfMiniredis(t *testing.T) {
	t.Parallel()
	h := harness(miniredis.RunT(t).Addr(), func(b *Backend) pubsub.Backend { return noLag{b} })
	h.Kind = "redisstream on miniredis"
	pubsubtest.Run(t, h)
}

type noLag struct{ *Backend }

func (b noLag) Capabilities() pubsub.Capabilities {
	capabilities := b.Backend.Capabilities()
	capabilities.Lag = false
	return capabilities
}
