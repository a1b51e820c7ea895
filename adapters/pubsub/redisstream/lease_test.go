package redisstream

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
)

func TestLeaseKeepsNamesApart(t *testing.T) {
	client := connect(t, startRedis(t).addr)
	options := quick(client)
	options.Lease = 400 * time.Millisecond
	xadd(t, client, "s", 1)
	_, first := subscribe(t, options, "s")
	msg := receive(t, first)
	require.Equal(t, "c1", msg.Metadata[delivery.KeyConsumer])

	// A newcomer waits one lease, and then takes a suffix. It does not get what is in flight under the name.
	began := time.Now()
	second, others := subscribe(t, options, "s")
	none(t, others, time.Second)
	require.Eventually(t, func() bool {
		return client.Exists(context.Background(), leaseKey("s", "g", "c1-2")).Val() == 1
	}, patience, time.Millisecond)
	require.Greater(t, time.Since(began), options.Lease)
	msg.Ack()
	require.NoError(t, second.Close())
	require.Zero(t, client.Exists(context.Background(), leaseKey("s", "g", "c1-2")).Val(), "released at the stop")
	require.Equal(t, int64(1), client.Exists(context.Background(), leaseKey("s", "g", "c1")).Val())
}

func TestNameOfADeadProcessIsTakenOverWithItsWork(t *testing.T) {
	client := connect(t, startRedis(t).addr)
	options := quick(client)
	options.Lease = 500 * time.Millisecond
	ids := xadd(t, client, "s", 3)
	claimed(t, client, "s", "c1", 1)
	require.NoError(t, client.Set(context.Background(), leaseKey("s", "g", "c1"), "of a dead process", options.Lease).Err())
	_, messages := subscribe(t, options, "s")
	all := receiveAll(t, messages, 3)
	require.Equal(t, ids, positions(all))
	require.Equal(t, "c1", all[0].Metadata[delivery.KeyConsumer])
}

// consumerOf is the name that the only subscription of a subscriber holds.
func consumerOf(subscriber *subscriber) (name string) {
	for source := range subscriber.sources {
		name = source.lease.consumer()
	}
	return name
}

func TestLostLease(t *testing.T) {
	for _, test := range []struct{ name, holder, want string }{
		{"free", "", "c1"},
		{"taken by another", "another", "c1-2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, client *redis.Client) {
				ctx := context.Background()
				options := quick(client)
				options.Lease = 300 * time.Millisecond
				gate := make(fakeGate)
				options.Gate = gate
				xadd(t, client, "s", 1)
				subscriber, messages := subscribe(t, options, "s")
				gate <- struct{}{} // one read; the next waits for the gate, so none is under way under the old name
				receive(t, messages).Ack()
				if test.holder == "" {
					require.NoError(t, client.Del(ctx, leaseKey("s", "g", "c1")).Err())
				} else {
					require.NoError(t, client.Set(ctx, leaseKey("s", "g", "c1"), test.holder, time.Minute).Err())
				}
				require.Eventually(t, func() bool {
					holder := client.Get(ctx, leaseKey("s", "g", test.want)).Val()
					return holder != "" && holder != "another" && consumerOf(subscriber) == test.want
				}, patience, time.Millisecond)
				xadd(t, client, "s", 1)
				close(gate)
				require.Equal(t, test.want, receive(t, messages).Metadata[delivery.KeyConsumer])
			})
		})
	}
}

func TestTidyRemovesOnlyIdleConsumersWithoutWork(t *testing.T) {
	client := connect(t, startRedis(t).addr)
	ctx := context.Background()
	subscriber, messages := subscribe(t, quick(client), "s")
	xadd(t, client, "s", 1)
	receive(t, messages).Ack()
	for _, name := range []string{"idle", "leased"} {
		require.NoError(t, client.XGroupCreateConsumer(ctx, "s", "g", name).Err())
	}
	require.NoError(t, client.Set(ctx, leaseKey("s", "g", "leased"), "x", time.Minute).Err())
	require.NoError(t, client.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []string{"a", "b"}}).Err())
	held := receive(t, messages)
	require.NoError(t, client.XClaimJustID(ctx, &redis.XClaimArgs{Stream: "s", Group: "g", Consumer: "working", Messages: []string{held.Metadata[delivery.KeyPosition]}}).Err())
	const idle = 10 * time.Millisecond
	require.Eventually(t, func() bool {
		consumers, err := client.XInfoConsumers(ctx, "s", "g").Result()
		return err == nil && !slices.ContainsFunc(consumers, func(c redis.XInfoConsumer) bool {
			return c.Name != "c1" && c.Idle < idle
		})
	}, patience, time.Millisecond)

	for source := range subscriber.sources {
		require.NoError(t, source.dropConsumers(ctx, time.Hour))
		require.NoError(t, source.dropConsumers(ctx, idle))
		require.NoError(t, source.tidy(ctx))
	}
	consumers, err := client.XInfoConsumers(ctx, "s", "g").Result()
	require.NoError(t, err)
	var names []string
	for _, consumer := range consumers {
		names = append(names, consumer.Name)
	}
	require.ElementsMatch(t, []string{"c1", "leased", "working"}, names)
}

func TestTidyForgetsNotesOfFinishedEntries(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx := context.Background()
		ids := xadd(t, client, "s", 1)
		subscriber, messages := subscribe(t, quick(client), "s")
		receive(t, messages)
		require.NoError(t, client.HSet(ctx, suspectsKey("s", "g"), "1-1", 4, ids[0], 4).Err())
		for source := range subscriber.sources {
			require.NoError(t, source.tidy(ctx))
		}
		require.Equal(t, []string{ids[0]}, client.HKeys(ctx, suspectsKey("s", "g")).Val())
	})
}

func TestRetainTrimsOnlyWhatEveryGroupHasAcked(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx := context.Background()
		var old []string
		for i := range 300 {
			id, err := client.XAdd(ctx, &redis.XAddArgs{Stream: "s", ID: fmt.Sprint("1000-", i), Values: []string{"a", "b"}}).Result()
			require.NoError(t, err)
			old = append(old, id)
		}
		fresh := xadd(t, client, "s", 2)
		options := quick(client)
		options.Retain, options.InFlight = time.Hour, 1000
		subscriber, messages := subscribe(t, options, "s")
		all := receiveAll(t, messages, 302)
		require.NoError(t, client.XGroupCreate(ctx, "s", "slow", "0").Err())
		trim := func() {
			for source := range subscriber.sources {
				require.NoError(t, source.trim(ctx))
			}
		}
		length := func() int64 { return client.XLen(ctx, "s").Val() }
		acked := func(n int) {
			require.Eventually(t, func() bool {
				return len(pending(t, client, "s")) == 302-n
			}, patience, time.Millisecond)
		}
		trim()
		require.EqualValues(t, 302, length(), "pending here, unread there")
		for _, msg := range all[:250] {
			msg.Ack()
		}
		acked(250)
		trim()
		require.EqualValues(t, 302, length(), "unread there")
		require.NoError(t, client.XGroupDestroy(ctx, "s", "slow").Err())
		trim()
		require.EqualValues(t, 52, length(), "up to the oldest pending")
		require.Equal(t, old[250], client.XRangeN(ctx, "s", "-", "+", 1).Val()[0].ID)
		for _, msg := range all[250:] {
			msg.Ack()
		}
		acked(302)
		trim()
		require.Equal(t, fresh[0], client.XRangeN(ctx, "s", "-", "+", 1).Val()[0].ID, "younger than retain")
	})
}
