package redisstream

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// logBuffer is a log that tests read.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

func TestSuspectRunsAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ids := xadd(t, client, "s", 2)
		claimed(t, client, "s", "c1", 3)
		fresh := xadd(t, client, "s", 3)
		events := &counter{}
		options := quick(client)
		options.Observe = events.observe
		marks := func() map[string]string {
			all, err := client.HGetAll(context.Background(), suspectsKey("s", "g")).Result()
			require.NoError(t, err)
			return all
		}
		subscriber, messages := subscribe(t, options, "s")

		first := receive(t, messages)
		require.Equal(t, ids[0], first.Metadata[delivery.KeyPosition])
		require.Equal(t, "4", first.Metadata[delivery.KeyDeliveries])
		require.Equal(t, map[string]string{ids[0]: "1"}, marks(), "noted before it runs")
		none(t, messages, 200*time.Millisecond)
		first.Nack()

		second := receive(t, messages)
		require.Equal(t, ids[1], second.Metadata[delivery.KeyPosition])
		none(t, messages, 100*time.Millisecond)
		second.Ack()
		again := []*message.Message{}
		for len(again) == 0 {
			msg := receive(t, messages)
			if msg.Metadata[delivery.KeyPosition] == ids[0] {
				again = append(again, msg)
				continue
			}
			require.Contains(t, fresh, msg.Metadata[delivery.KeyPosition])
			msg.Ack()
		}
		require.Equal(t, map[string]string{ids[0]: "1"}, marks(), "a nack is an outcome")
		again[0].Ack()
		require.Eventually(t, func() bool { return len(marks()) == 0 }, patience, time.Millisecond)
		require.Equal(t, 3, events.of(pubsub.EventSuspect))
		require.NoError(t, subscriber.Close())
	})
}

// One run alone without an outcome proves nothing: the entry may have been held back when its process died.
func TestSuspectRunsAloneTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx, key := context.Background(), suspectsKey("s", "g")
		ids := xadd(t, client, "s", 1)
		claimed(t, client, "s", "c1", 9)
		require.NoError(t, client.HSet(ctx, key, ids[0], 1).Err())
		options := quick(client)
		options.CloseTimeout = 10 * time.Millisecond
		subscriber, messages := subscribe(t, options, "s")
		msg := receive(t, messages)
		require.Equal(t, "10", msg.Metadata[delivery.KeyDeliveries])
		require.Empty(t, msg.Metadata[delivery.KeyExhausted])
		require.Equal(t, "2", client.HGet(ctx, key, ids[0]).Val())
		require.NoError(t, subscriber.Close()) // without an outcome
		_, messages = subscribe(t, options, "s")
		require.Equal(t, "11", receive(t, messages).Metadata[delivery.KeyExhausted])
	})
}

func TestSuspectIsNotNotedWhileReadingIsPaused(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ids := xadd(t, client, "s", 2)
		claimed(t, client, "s", "c1", 3)
		gate := make(fakeGate, 3)
		options := quick(client)
		options.Gate = gate
		_, messages := subscribe(t, options, "s")
		gate <- struct{}{} // the turn that takes them
		gate <- struct{}{} // the turn that runs them
		gate <- struct{}{} // the first suspect
		first := receive(t, messages)
		first.Ack()
		none(t, messages, 100*time.Millisecond)
		require.False(t, client.HExists(context.Background(), suspectsKey("s", "g"), ids[1]).Val())
		close(gate)
		require.Equal(t, ids[1], receive(t, messages).Metadata[delivery.KeyPosition])
	})
}

func TestSuspectWithoutAnOutcomeIsExhausted(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ids := xadd(t, client, "s", 1)
		claimed(t, client, "s", "c1", 9)
		require.NoError(t, client.HSet(context.Background(), suspectsKey("s", "g"), ids[0], 2).Err())
		subscriber, messages := subscribe(t, quick(client), "s")
		msg := receive(t, messages)
		require.Equal(t, "10", msg.Metadata[delivery.KeyExhausted])
		require.Equal(t, `{"n":"0"}`, string(msg.Payload))
		msg.Nack() // the DLQ could not take it
		msg = receive(t, messages)
		require.Equal(t, "10", msg.Metadata[delivery.KeyExhausted])
		msg.Ack()
		require.NoError(t, subscriber.Close())
		require.Zero(t, client.Exists(context.Background(), suspectsKey("s", "g")).Val())
	})
}

func TestStopDuringTheRunAlone(t *testing.T) {
	for _, test := range []struct {
		name   string
		finish func(*message.Message)
		marked bool
	}{
		{"no outcome leaves the note", func(*message.Message) {}, true},
		{"a nack removes the note", func(msg *message.Message) { msg.Nack() }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, client *redis.Client) {
				ids := xadd(t, client, "s", 1)
				claimed(t, client, "s", "c1", 3)
				options := quick(client)
				options.CloseTimeout = 10 * time.Millisecond
				subscriber, messages := subscribe(t, options, "s")
				test.finish(receive(t, messages))
				require.NoError(t, subscriber.Close())
				marked, err := client.HExists(context.Background(), suspectsKey("s", "g"), ids[0]).Result()
				require.NoError(t, err)
				require.Equal(t, test.marked, marked)
				want := map[bool]int64{true: 4, false: 3}[test.marked]
				require.Equal(t, want, pending(t, client, "s")[0].RetryCount)
			})
		})
	}
}

func TestMoreSuspectsThanTheWindowHolds(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		xadd(t, client, "s", 25)
		claimed(t, client, "s", "c1", 5)
		options := quick(client)
		options.InFlight = 4
		_, messages := subscribe(t, options, "s")
		for range 25 {
			msg := receive(t, messages)
			require.Empty(t, messages)
			msg.Ack()
		}
	})
}

func TestGroupAndStreamAreCreatedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx := context.Background()
		events := &counter{}
		options := quick(client)
		options.Observe = events.observe
		_, messages := subscribe(t, options, "s")
		xadd(t, client, "s", 2)
		receive(t, messages).Ack()
		held := receive(t, messages)
		require.Eventually(t, func() bool { return events.of(pubsub.EventAcked) == 1 }, patience, time.Millisecond)

		require.NoError(t, client.XGroupDestroy(ctx, "s", "g").Err())
		// The group is read from the start again. The entry in flight is not delivered twice at a time.
		again := receive(t, messages)
		require.NotEqual(t, held.Metadata[delivery.KeyPosition], again.Metadata[delivery.KeyPosition])
		again.Ack()
		none(t, messages, 200*time.Millisecond)
		held.Ack()
		require.Eventually(t, func() bool { return len(pending(t, client, "s")) == 0 }, patience, 5*time.Millisecond)

		require.NoError(t, client.Del(ctx, "s").Err())
		require.Eventually(t, func() bool { return client.Exists(ctx, "s").Val() == 1 }, patience, 5*time.Millisecond)
		ids := xadd(t, client, "s", 1)
		require.Equal(t, ids[0], receive(t, messages).Metadata[delivery.KeyPosition])
	})
}

func TestOutageOfRedisIsWaitedOut(t *testing.T) {
	server := startRedis(t, "--appendfsync", "always")
	client := connect(t, server.addr)
	log := &logBuffer{}
	options := quick(client)
	options.Logger = slog.New(slog.NewTextHandler(log, nil))
	ids := xadd(t, client, "s", 3)
	subscriber, messages := subscribe(t, options, "s")
	all := receiveAll(t, messages, 3)
	server.kill()
	all[0].Ack() // during the outage
	require.Eventually(t, func() bool { return log.count("the broker does not serve") == 1 }, patience, time.Millisecond)
	server.start(t)
	require.Eventually(t, func() bool { return log.count("the broker serves the topic again") == 1 }, patience, time.Millisecond)
	more := xadd(t, client, "s", 2)
	require.Equal(t, more, positions(receiveAll(t, messages, 2)), "what is in flight is not delivered again")
	all[1].Ack()
	require.NoError(t, subscriber.Close())
	left := pending(t, client, "s")
	require.Len(t, left, 3)
	require.Equal(t, ids[2], left[0].ID)
	require.Equal(t, 1, log.count("the broker does not serve"))
}

func TestRedisMayBeDownAtTheStart(t *testing.T) {
	server := startRedis(t)
	client := connect(t, server.addr)
	server.kill()
	_, messages := subscribe(t, quick(client), "s")
	server.start(t)
	xadd(t, client, "s", 1)
	receive(t, messages).Ack()
}

func TestCloseDuringAnOutageSaysWhatIsLost(t *testing.T) {
	server := startRedis(t)
	client := connect(t, server.addr)
	xadd(t, client, "s", 2)
	subscriber, messages := subscribe(t, quick(client), "s")
	all := receiveAll(t, messages, 2)
	server.kill()
	for _, msg := range all {
		msg.Ack()
	}
	err := subscriber.Close()
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.ErrorContains(t, err, "2 acks")
	require.Equal(t, err, subscriber.Close())
}

func TestSubscribeRefusesWhatOnlyAPersonCanMend(t *testing.T) {
	server := startRedis(t, "--requirepass", "secret")
	for _, test := range []struct {
		name, password, code string
	}{
		{"no password", "", "credentials"},
		{"wrong password", "wrong", "credentials"},
		{"no stream", "secret", "wrong_type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := redis.NewClient(&redis.Options{Addr: server.addr, Password: test.password})
			defer func() { _ = client.Close() }()
			client.Set(context.Background(), "s", "text", 0)
			subscriber, err := newSubscriber(quick(client))
			require.NoError(t, err)
			_, err = subscriber.Subscribe(context.Background(), "s")
			require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
			require.Equal(t, test.code, fault.Of(err).Code)
			require.NotContains(t, err.Error(), "secret")
			require.NoError(t, subscriber.Close())
		})
	}
	t.Run("right password", func(t *testing.T) {
		client := redis.NewClient(&redis.Options{Addr: server.addr, Password: "secret", DB: 3, ClientName: "x"})
		defer func() { _ = client.Close() }()
		xadd(t, client, "here", 1)
		subscriber, messages := subscribe(t, quick(client), "here")
		receive(t, messages).Ack()
		require.NoError(t, subscriber.Close())
	})
}

func TestRepliesOverEightMegabytesHalveTheCount(t *testing.T) {
	client := connect(t, startRedis(t, "--appendonly", "no").addr)
	large := strings.Repeat("x", 1<<20)
	for i := range 40 {
		require.NoError(t, client.XAdd(context.Background(), &redis.XAddArgs{Stream: "s", Values: []string{"n", strconv.Itoa(i), "x", large}}).Err())
	}
	options := quick(client)
	options.Count = 16
	subscriber, messages := subscribe(t, options, "s")
	for range 40 {
		msg := receive(t, messages)
		require.Len(t, msg.Payload, len(large)+len(`{"n":"10","x":""}`)-map[bool]int{true: 1}[msg.Payload[7] == '"'])
		msg.Ack()
	}
	var count int
	for source := range subscriber.sources {
		require.NoError(t, subscriber.Close())
		count = source.count
	}
	require.Less(t, count, 16)
}

// fakeGate is closed until opened.
type fakeGate chan struct{}

func (g fakeGate) Wait(ctx context.Context) error {
	select {
	case <-g:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestGatePausesReading(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		gate := make(fakeGate)
		options := quick(client)
		options.Gate = gate
		xadd(t, client, "s", 1)
		_, messages := subscribe(t, options, "s")
		none(t, messages, 100*time.Millisecond)
		close(gate)
		receive(t, messages).Ack()
	})
}
