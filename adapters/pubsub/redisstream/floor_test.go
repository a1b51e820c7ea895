package redisstream

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

func TestFloorsAndLag(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx := context.Background()
		options := quick(client)
		options.Namespace, options.InFlight = "ns", 3
		subscriber, err := NewSubscriber(options)
		require.NoError(t, err)
		defer func() { require.NoError(t, subscriber.Close()) }()
		floor := func() delivery.Position {
			floors, err := subscriber.Floors(ctx, "s")
			require.NoError(t, err)
			require.Len(t, floors, 1)
			return floors["ns:s"]
		}
		lag := func() pubsub.Lag {
			lag, err := subscriber.Lag(ctx, "s")
			require.NoError(t, err)
			return lag
		}
		at := func(id string) delivery.Position {
			position, err := delivery.ParsePosition(id)
			require.NoError(t, err)
			return position
		}
		require.Zero(t, floor(), "no stream")
		require.Zero(t, lag())
		ids := xadd(t, client, "s", 5)
		require.Zero(t, floor(), "no group")
		require.Equal(t, pubsub.Lag{Waiting: 5}, lag())
		require.NoError(t, subscriber.SubscribeInitialize("s"))
		require.Zero(t, floor(), "nothing delivered")
		require.Equal(t, pubsub.Lag{Waiting: 5}, lag())

		messages, err := subscriber.Subscribe(ctx, "s")
		require.NoError(t, err)
		all := receiveAll(t, messages, 3)
		require.Equal(t, at(ids[0]), floor())
		require.Equal(t, pubsub.Lag{Waiting: 2, Pending: 3}, lag())
		require.Equal(t, 3, subscriber.InFlight("s"))
		all[1].Ack()
		all = append(all, receive(t, messages))
		require.Equal(t, at(ids[0]), floor(), "the oldest pending entry holds it")
		all[0].Ack()
		require.Eventually(t, func() bool { return floor() == at(ids[2]) }, patience, time.Millisecond)
		for _, msg := range append(all[2:], receive(t, messages)) {
			msg.Ack()
		}
		require.Eventually(t, func() bool { return floor() == at(ids[4]).Next() }, patience, time.Millisecond)
		require.Equal(t, pubsub.Lag{}, lag())
	})
}

func TestFloorsOfAKeyThatIsNoStream(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		require.NoError(t, client.Set(context.Background(), "s", "x", 0).Err())
		subscriber, err := NewSubscriber(quick(client))
		require.NoError(t, err)
		_, err = subscriber.Floors(context.Background(), "s")
		require.Error(t, err)
		_, err = subscriber.Lag(context.Background(), "s")
		require.Equal(t, fault.Internal, fault.KindOf(err))
	})
}
