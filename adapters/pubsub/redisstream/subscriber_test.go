package redisstream

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	stock "github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// patience is how long a test waits for what must happen.
const patience = 15 * time.Second

// counter counts events.
type counter struct {
	mu sync.Mutex
	n  map[pubsub.Event]int
}

func (c *counter) observe(_ string, event pubsub.Event, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[pubsub.Event]int)
	}
	c.n[event] += n
}

func (c *counter) of(event pubsub.Event) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[event]
}

func subscribe(t testing.TB, options options, stream string) (*subscriber, <-chan *message.Message) {
	t.Helper()
	subscriber, err := newSubscriber(options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = subscriber.Close() })
	messages, err := subscriber.Subscribe(context.Background(), stream)
	require.NoError(t, err)
	return subscriber, messages
}

func receive(t testing.TB, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg, ok := <-messages:
		require.True(t, ok, "the channel was closed")
		return msg
	case <-time.After(patience):
		t.Fatal("no message arrived")
		return nil
	}
}

func receiveAll(t testing.TB, messages <-chan *message.Message, n int) (all []*message.Message) {
	t.Helper()
	for range n {
		all = append(all, receive(t, messages))
	}
	return all
}

// none holds that no message arrives for a while.
func none(t testing.TB, messages <-chan *message.Message, for_ time.Duration) {
	t.Helper()
	select {
	case msg, ok := <-messages:
		if ok {
			t.Fatalf("unexpected message %v", msg.Metadata)
		}
	case <-time.After(for_):
	}
}

func pending(t testing.TB, client redis.UniversalClient, stream string) []redis.XPendingExt {
	t.Helper()
	entries, err := client.XPendingExt(context.Background(), &redis.XPendingExtArgs{
		Stream: stream, Group: "g", Start: "-", End: "+", Count: 1000,
	}).Result()
	require.NoError(t, err)
	return entries
}

func positions(messages []*message.Message) (ids []string) {
	for _, msg := range messages {
		ids = append(ids, msg.Metadata[delivery.KeyPosition])
	}
	return ids
}

// claimed makes entries pending for a consumer that is not there, with a delivery count.
func claimed(t testing.TB, client redis.UniversalClient, stream, consumer string, deliveries int) {
	t.Helper()
	ctx := context.Background()
	if err := client.XGroupCreateMkStream(ctx, stream, "g", "0").Err(); err != nil {
		require.ErrorContains(t, err, "BUSYGROUP")
	}
	read, err := client.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: consumer, Streams: []string{stream, ">"}, Count: 1000}).Result()
	require.NoError(t, err)
	for _, entry := range read[0].Messages {
		require.NoError(t, client.Do(ctx, "XCLAIM", stream, "g", consumer, 0, entry.ID, "RETRYCOUNT", deliveries, "JUSTID").Err())
	}
}

func TestDeliversWithMetadataAndAcks(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ids := xadd(t, client, "s", 50)
		options := quick(client)
		options.Namespace = "here"
		subscriber, messages := subscribe(t, options, "s")
		all := receiveAll(t, messages, 50)
		require.Equal(t, ids, positions(all))
		require.Equal(t, `{"n":"0"}`, string(all[0].Payload))
		require.Empty(t, all[0].UUID)
		info := delivery.Of(all[0])
		require.Equal(t, "here:s", info.Source)
		require.Equal(t, 1, info.Deliveries)
		require.WithinDuration(t, time.Now(), info.PublishedAt, time.Minute)
		require.Equal(t, "c1", all[0].Metadata[delivery.KeyConsumer])
		require.Equal(t, "g", all[0].Metadata[delivery.KeyGroup])
		for _, msg := range all {
			require.True(t, msg.Ack())
		}
		<-all[49].Context().Done()
		require.NoError(t, subscriber.Close())
		require.Empty(t, pending(t, client, "s"))
		_, open := <-messages
		require.False(t, open)
		_, err := subscriber.Subscribe(context.Background(), "s")
		require.Equal(t, fault.Canceled, fault.KindOf(err))
	})
}

func TestMalformedEntriesArriveAndHarmNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx := context.Background()
		require.NoError(t, client.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []string{uuidField, "x", "metadata", "\xdf\xff\xff\xff\xff", "payload", "p"}}).Err())
		require.NoError(t, client.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []string{"title", "\xff"}}).Err())
		xadd(t, client, "s", 1)
		_, messages := subscribe(t, quick(client), "s")
		all := receiveAll(t, messages, 3)
		require.NotEmpty(t, all[0].Metadata[delivery.KeyMalformed])
		require.Equal(t, `[{"name":"title","base64":"/w=="}]`, string(all[1].Payload))
		require.Empty(t, all[2].Metadata[delivery.KeyMalformed])
	})
}

func TestNackWaitsWithoutHoldingOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		options := quick(client)
		options.Nack = inflight.Nack{Delay: 300 * time.Millisecond, MaxDelay: time.Second}
		options.InFlight = 10
		xadd(t, client, "s", 1)
		subscriber, messages := subscribe(t, options, "s")
		first := receive(t, messages)
		nackedAt := time.Now()
		first.Metadata["dirt"] = "of the handler"
		first.Nack()
		<-first.Context().Done()
		xadd(t, client, "s", 20)
		for range 20 {
			receive(t, messages).Ack()
		}
		require.Less(t, time.Since(nackedAt), 300*time.Millisecond, "others waited for the nacked one")
		again := receive(t, messages)
		require.GreaterOrEqual(t, time.Since(nackedAt), 300*time.Millisecond)
		require.Equal(t, first.Metadata[delivery.KeyPosition], again.Metadata[delivery.KeyPosition])
		require.Equal(t, "1", again.Metadata[delivery.KeyDeliveries], "a nack is no delivery")
		require.Empty(t, again.Metadata["dirt"])
		require.NoError(t, again.Context().Err())
		again.Ack()
		require.NoError(t, subscriber.Close())
		require.Empty(t, pending(t, client, "s"))
	})
}

func TestOwnPendingEntriesComeFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		old := xadd(t, client, "s", 250)
		claimed(t, client, "s", "c1", 1)
		fresh := xadd(t, client, "s", 5)
		_, messages := subscribe(t, quick(client), "s")
		for i, id := range append(old, fresh...) {
			msg := receive(t, messages)
			require.Equal(t, id, msg.Metadata[delivery.KeyPosition])
			if i < len(old) {
				require.Equal(t, "2", msg.Metadata[delivery.KeyDeliveries])
			}
			msg.Ack()
		}
	})
}

func TestClaimsWhatOthersLeftIdle(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ids := xadd(t, client, "s", 120)
		claimed(t, client, "s", "dead", 2)
		options := quick(client)
		options.Claim.MinIdle = 400 * time.Millisecond
		events := &counter{}
		options.Observe = events.observe
		_, messages := subscribe(t, options, "s")
		none(t, messages, 100*time.Millisecond)
		for _, id := range ids {
			msg := receive(t, messages)
			require.Equal(t, id, msg.Metadata[delivery.KeyPosition])
			require.Equal(t, "3", msg.Metadata[delivery.KeyDeliveries])
			msg.Ack()
		}
		require.Equal(t, 120, events.of(pubsub.EventClaimed))
	})
}

func TestTrimmedPendingEntriesAreAckedAndCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ids := xadd(t, client, "s", 10)
		claimed(t, client, "s", "c1", 1)
		require.NoError(t, client.XDel(context.Background(), "s", ids[:4]...).Err())
		events := &counter{}
		options := quick(client)
		options.Observe = events.observe
		subscriber, messages := subscribe(t, options, "s")
		all := receiveAll(t, messages, 6)
		require.Equal(t, ids[4:], positions(all))
		require.Equal(t, 4, events.of(pubsub.EventTrimmed))
		for _, msg := range all {
			msg.Ack()
		}
		require.NoError(t, subscriber.Close())
		require.Empty(t, pending(t, client, "s"))
	})
}

func TestHeartbeatKeepsSlowWorkAndForgetsLostWork(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ids := xadd(t, client, "s", 2)
		events := &counter{}
		options := quick(client)
		options.Claim.MinIdle = 300 * time.Millisecond
		options.Observe = events.observe
		_, messages := subscribe(t, options, "s")
		all := receiveAll(t, messages, 2)
		options.Consumer = "c2"
		_, others := subscribe(t, options, "s")
		none(t, others, time.Second)
		for _, p := range pending(t, client, "s") {
			require.Equal(t, "c1", p.Consumer)
			require.EqualValues(t, 1, p.RetryCount, "a heartbeat is no delivery")
		}
		// Another consumer takes the first: the zombie must not take it back, and its ack does no harm.
		require.NoError(t, client.XClaimJustID(context.Background(), &redis.XClaimArgs{Stream: "s", Group: "g", Consumer: "thief", Messages: ids[:1]}).Err())
		require.Eventually(t, func() bool { return events.of(pubsub.EventLost) == 1 }, patience, 10*time.Millisecond)
		owner := pending(t, client, "s")[0]
		require.Equal(t, ids[0], owner.ID)
		require.NotEqual(t, "c1", owner.Consumer)
		all[0].Ack()
		all[1].Ack()
		require.Eventually(t, func() bool { return len(pending(t, client, "s")) == 0 }, patience, 10*time.Millisecond)
	})
}

func TestCloseAcksWhatIsDoneAndHandsBackTheRest(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		xadd(t, client, "s", 60)
		options := quick(client)
		options.CloseTimeout = time.Second
		subscriber, messages := subscribe(t, options, "s")
		all := receiveAll(t, messages, 30)
		require.Eventually(t, func() bool { return len(messages) == 30 }, patience, time.Millisecond)
		all[0].Nack()
		closed := make(chan error)
		go func() { closed <- subscriber.Close() }()
		go func() { _ = subscriber.Close() }()
		require.Eventually(t, func() bool { return len(messages) == 0 }, patience, time.Millisecond)
		<-all[0].Context().Done()
		for _, msg := range all[1:29] {
			require.True(t, msg.Ack())
		}
		require.ErrorIs(t, func() error { <-all[29].Context().Done(); return all[29].Context().Err() }(), context.Canceled)
		require.NoError(t, <-closed)
		left := pending(t, client, "s")
		require.Len(t, left, 32)
		for _, p := range left {
			require.Equal(t, "c1", p.Consumer)
			if p.ID == all[29].Metadata[delivery.KeyPosition] {
				require.EqualValues(t, 1, p.RetryCount, "a handler had it")
				require.Less(t, p.Idle, time.Minute)
			} else {
				require.EqualValues(t, 0, p.RetryCount, "it was not delivered, or nacked")
				require.Greater(t, p.Idle, time.Hour, "others may claim it at once")
			}
		}
		// The next process goes on where this one stopped, without a wait.
		began := time.Now()
		_, messages = subscribe(t, options, "s")
		again := receiveAll(t, messages, 32)
		require.Less(t, time.Since(began), 2*time.Second)
		require.ElementsMatch(t, func() (ids []string) {
			for _, p := range left {
				ids = append(ids, p.ID)
			}
			return ids
		}(), positions(again))
	})
}

func TestEndOfContextStopsOneSubscription(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		xadd(t, client, "s", 1)
		subscriber, err := newSubscriber(quick(client))
		require.NoError(t, err)
		defer func() { require.NoError(t, subscriber.Close()) }()
		ctx, cancel := context.WithCancel(context.Background())
		messages, err := subscriber.Subscribe(ctx, "s")
		require.NoError(t, err)
		msg := receive(t, messages)
		cancel()
		require.NoError(t, msg.Context().Err(), "what is in flight may finish")
		msg.Ack()
		_, open := <-messages
		require.False(t, open)
		require.Empty(t, pending(t, client, "s"))
	})
}

func TestTwoSubscriptionsShareAStream(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		options := quick(client)
		options.InFlight = 10
		subscriber, one := subscribe(t, options, "s")
		two, err := subscriber.Subscribe(context.Background(), "s")
		require.NoError(t, err)
		seen := map[string]string{}
		xadd(t, client, "s", 40)
		for len(seen) < 40 {
			for _, c := range []<-chan *message.Message{one, two} {
				select {
				case msg := <-c:
					seen[msg.Metadata[delivery.KeyPosition]] = msg.Metadata[delivery.KeyConsumer]
					msg.Ack()
				case <-time.After(50 * time.Millisecond):
				}
			}
		}
		names := map[string]bool{}
		for _, name := range seen {
			names[name] = true
		}
		for name := range names {
			require.Contains(t, []string{"c1", "c1-2"}, name)
		}
	})
}

func TestInterop(t *testing.T) {
	client := connect(t, startRedis(t).addr)
	theirClient := func() redis.UniversalClient { return connect(t, client.Options().Addr) }
	sent := message.NewMessage("id-1", []byte("payload"))
	sent.Metadata = message.Metadata{"a": "b", "ü": ""}

	t.Run("stock publisher, our subscriber", func(t *testing.T) {
		publisher, err := stock.NewPublisher(stock.PublisherConfig{Client: theirClient()}, nil)
		require.NoError(t, err)
		require.NoError(t, publisher.Publish("s1", sent))
		require.NoError(t, publisher.Close())
		_, messages := subscribe(t, quick(client), "s1")
		got := receive(t, messages)
		require.Equal(t, sent.UUID, got.UUID)
		require.Equal(t, sent.Payload, got.Payload)
		require.Equal(t, "b", got.Metadata["a"])
		require.Contains(t, got.Metadata, "ü")
	})
	t.Run("our publisher, stock subscriber", func(t *testing.T) {
		require.NoError(t, NewPublisher(client, PublisherOptions{}).Publish("s2", sent, message.NewMessage("id-2", nil)))
		subscriber, err := stock.NewSubscriber(stock.SubscriberConfig{Client: theirClient(), ConsumerGroup: "g", Consumer: "c"}, nil)
		require.NoError(t, err)
		messages, err := subscriber.Subscribe(context.Background(), "s2")
		require.NoError(t, err)
		got := receive(t, messages)
		require.True(t, sent.Equals(got), fmt.Sprint(got))
		got.Ack()
		second := receive(t, messages)
		require.Equal(t, "id-2", second.UUID)
		second.Ack()
		require.NoError(t, subscriber.Close())
	})
}
