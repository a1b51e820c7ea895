package redisstream

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// TestWatermillSuite runs the tests that Watermill has for every backend.
func TestWatermillSuite(t *testing.T) {
	server := startRedis(t)
	construct := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		client := redis.NewClient(&redis.Options{Addr: server.addr, PoolSize: 4})
		options := quick(client)
		options.Consumer, options.Group = watermill.NewShortUUID(), group
		options.Claim.MinIdle = 2 * time.Second
		options.CloseTimeout = 50 * time.Millisecond // what the suite abandons is waited for
		subscriber, err := newSubscriber(options)
		require.NoError(t, err)
		t.Cleanup(func() { _ = subscriber.Close(); _ = client.Close() })
		return NewPublisher(client, PublisherOptions{}), subscriber
	}
	tests.TestPubSub(t, tests.Features{
		ConsumerGroups:                   true,
		Persistent:                       true,
		NewSubscriberReceivesOldMessages: true,
	}, func(t *testing.T) (message.Publisher, message.Subscriber) {
		return construct(t, watermill.NewShortUUID())
	}, construct)
}
