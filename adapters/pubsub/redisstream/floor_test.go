package redisstream

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
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
		subscriber, err := newSubscriber(options)
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
		require.NoError(t, client.XGroupCreate(ctx, "s", "g", "0").Err())
		require.Zero(t, floor(), "nothing delivered")
		require.Equal(t, pubsub.Lag{Waiting: 5}, lag())

		messages, err := subscriber.Subscribe(ctx, "s")
		require.NoError(t, err)
		all := receiveAll(t, messages, 3)
		require.Equal(t, at(ids[0]), floor())
		require.Equal(t, pubsub.Lag{Waiting: 2, Pending: 3}, lag())
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
		subscriber, err := newSubscriber(quick(client))
		require.NoError(t, err)
		_, err = subscriber.Floors(context.Background(), "s")
		require.Error(t, err)
		_, err = subscriber.Lag(context.Background(), "s")
		require.Equal(t, fault.Internal, fault.KindOf(err))
	})
}

// lastHeartbeat is when all that is held of the stream was last extended.
func lastHeartbeat(subscriber *subscriber) (last time.Time) {
	for _, source := range subscriber.of("s") {
		source.subscription.Unfinished(func(it *item) {
			if last.IsZero() || it.Entry.extended.Before(last) {
				last = it.Entry.extended
			}
		})
	}
	return last
}

// What leaves the pending list without an ack must not be passed while it is held here: an effect that comes
// late would be taken for one that was applied before.
func TestFloorsDoNotPassWhatIsHeld(t *testing.T) {
	at := func(id string) delivery.Position {
		position, err := delivery.ParsePosition(id)
		require.NoError(t, err)
		return position
	}
	for _, test := range []struct {
		name       string
		deliveries int
		hold       func(t *testing.T, messages <-chan *message.Message) (finish func())
	}{
		{"in flight", 1, func(t *testing.T, messages <-chan *message.Message) func() {
			all := receiveAll(t, messages, 2)
			return func() { all[0].Ack(); all[1].Ack() }
		}},
		{"nacked", 1, func(t *testing.T, messages <-chan *message.Message) func() {
			all := receiveAll(t, messages, 2)
			all[0].Nack()
			<-all[0].Context().Done()
			return func() { all[1].Ack(); receive(t, messages).Ack() }
		}},
		{"suspects", 9, func(t *testing.T, messages <-chan *message.Message) func() {
			first := receive(t, messages)
			return func() { first.Ack(); receive(t, messages).Ack() }
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, client *redis.Client) {
				ctx := context.Background()
				ids := xadd(t, client, "s", 2)
				claimed(t, client, "s", "c1", test.deliveries)
				events := &counter{}
				options := quick(client)
				options.Observe, options.MaxDeliveries = events.observe, 5
				options.Claim.MinIdle, options.Nack.Delay = 90*time.Millisecond, 600*time.Millisecond
				subscriber, messages := subscribe(t, options, "s")
				floor := func() delivery.Position {
					floors, err := subscriber.Floors(ctx, "s")
					require.NoError(t, err)
					return floors["s"]
				}
				finish := test.hold(t, messages)
				require.NoError(t, client.XTrimMaxLen(ctx, "s", 0).Err())
				require.NoError(t, client.XAck(ctx, "s", "g", ids...).Err()) // as an XCLAIM since Redis 7 does with trimmed ones
				began, last := time.Now(), lastHeartbeat(subscriber)
				for beats := 0; beats < 4; {
					require.Equal(t, at(ids[0]), floor())
					require.Less(t, time.Since(began), patience, "no heartbeat")
					if beat := lastHeartbeat(subscriber); beat.After(last) {
						beats, last = beats+1, beat
					}
				}
				finish()
				require.Eventually(t, func() bool { return floor() == at(ids[1]).Next() }, patience, time.Millisecond)
				require.Zero(t, events.of(pubsub.EventLost))
			})
		})
	}
}

// The heartbeat itself makes Redis 7 forget what was trimmed; the entries are finished all the same.
func TestTrimmedEntriesThatAreHeldAreFinished(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx := context.Background()
		options := quick(client)
		options.Claim.MinIdle, options.Nack.Delay = 90*time.Millisecond, 500*time.Millisecond
		subscriber, messages := subscribe(t, options, "s")
		ids := xadd(t, client, "s", 3)
		all := receiveAll(t, messages, 3)
		require.NoError(t, client.XTrimMaxLen(ctx, "s", 0).Err())
		all[0].Nack()
		again := receive(t, messages)
		require.Equal(t, ids[0], again.Metadata[delivery.KeyPosition])
		require.Equal(t, `{"n":"0"}`, string(again.Payload))
		floors, err := subscriber.Floors(ctx, "s")
		require.NoError(t, err)
		require.Equal(t, ids[0], floors["s"].String())
		for _, msg := range []*message.Message{again, all[1], all[2]} {
			msg.Ack()
		}
		require.NoError(t, subscriber.Close())
		require.Empty(t, pending(t, client, "s"))
	})
}

// Handlers that outlive the stop still hold the floor.
func TestFloorsDoNotPassWhatAStopLeftBehind(t *testing.T) {
	client := connect(t, startRedis(t).addr)
	ids := xadd(t, client, "s", 2)
	options := quick(client)
	options.CloseTimeout = time.Millisecond
	subscriber, messages := subscribe(t, options, "s")
	receiveAll(t, messages, 2)
	require.NoError(t, subscriber.Close())
	require.NoError(t, client.XAck(context.Background(), "s", "g", ids...).Err())
	floors, err := subscriber.Floors(context.Background(), "s")
	require.NoError(t, err)
	require.Equal(t, ids[0], floors["s"].String())
}
