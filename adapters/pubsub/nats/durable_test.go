package nats

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
)

func numbered(from, n int) []*message.Message {
	messages := make([]*message.Message, n)
	for i := range messages {
		messages[i] = message.NewMessage(watermill.NewUUID(), fmt.Append(nil, from+i))
	}
	return messages
}

// A consumer that somebody made for another use is refused, and left as it is.
func TestIncompatibleConsumer(t *testing.T) {
	backend := dial(t, quick(embedded(t).ClientURL()))
	ctx := t.Context()
	stream, err := backend.js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"events", "other"}})
	require.NoError(t, err)
	explicit := jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "events", MaxDeliver: -1}
	for says, change := range map[string]func(*jetstream.ConsumerConfig){
		"ack policy AckNone":   func(c *jetstream.ConsumerConfig) { c.AckPolicy = jetstream.AckNonePolicy },
		"ack policy AckAll":    func(c *jetstream.ConsumerConfig) { c.AckPolicy = jetstream.AckAllPolicy },
		"max_deliver":          func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 3 },
		"other subjects":       func(c *jetstream.ConsumerConfig) { c.FilterSubject = "other" },
		"is for other subject": func(c *jetstream.ConsumerConfig) { c.FilterSubject = "" },
		"headers without":      func(c *jetstream.ConsumerConfig) { c.HeadersOnly = true },
	} {
		group := unique(t)
		config := explicit
		config.Durable = group + "@events"
		change(&config)
		_, err := stream.CreateConsumer(ctx, config)
		require.NoError(t, err)
		_, err = join(t, backend, group).Subscriber.Subscribe(ctx, "events")
		requireRefused(t, err, "consumer", says)
		require.ErrorContains(t, err, "delete it, or choose another consumer group")
	}
	_, err = stream.CreatePushConsumer(ctx, jetstream.ConsumerConfig{Durable: "push@events", FilterSubject: "events", DeliverSubject: "x", AckPolicy: jetstream.AckExplicitPolicy})
	require.NoError(t, err)
	_, err = join(t, backend, "push").Subscriber.Subscribe(ctx, "events")
	requireRefused(t, err, "consumer", "push consumer")
}

// A stream that somebody made for many subjects is read and published to, and not changed. Topics do not mix in it.
func TestForeignStream(t *testing.T) {
	backend := dial(t, quick(embedded(t).ClientURL()))
	stream, err := backend.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "SHARED", Subjects: []string{"app.>"}, MaxMsgs: 1000, Description: "theirs"})
	require.NoError(t, err)
	before := stream.CachedInfo().Config
	broker := join(t, backend, "g")
	one, err := broker.Subscriber.Subscribe(t.Context(), "app.one")
	require.NoError(t, err)
	two, err := broker.Subscriber.Subscribe(t.Context(), "app.two")
	require.NoError(t, err)
	require.NoError(t, broker.Publisher.Publish("app.one", numbered(1, 1)...))
	require.NoError(t, broker.Publisher.Publish("app.two", numbered(2, 1)...))
	first, second := receive(t, one), receive(t, two)
	require.Equal(t, "1", string(first.Payload))
	require.Equal(t, "2", string(second.Payload))
	require.Regexp(t, `^ns:app\.one#[0-9a-z]+$`, delivery.Of(first).Source)
	first.Ack()
	second.Ack()
	require.NoError(t, broker.Subscriber.Close())
	info, err := stream.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, info.Config)
	require.Equal(t, 2, info.State.Consumers, "the durable consumers stay")
}

// A stream of the name that ours would have, for other subjects, is refused.
func TestStreamNameTaken(t *testing.T) {
	backend := dial(t, quick(embedded(t).ClientURL()))
	_, err := backend.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "events", Subjects: []string{"theirs"}})
	require.NoError(t, err)
	_, err = join(t, backend, "g").Subscriber.Subscribe(t.Context(), "events")
	requireRefused(t, err, "stream", `stream "events" does not take subject "events"`)
}

func TestStreamIsMadeAsConfigured(t *testing.T) {
	config := quick(embedded(t).ClientURL())
	config.Stream = Stream{Storage: Memory, Replicas: 1, MaxAge: time.Hour, Duplicates: time.Second}
	backend := dial(t, config)
	_, err := join(t, backend, "g 1").Subscriber.Subscribe(t.Context(), "a.b")
	require.NoError(t, err)
	stream, err := backend.js.Stream(t.Context(), "a=2Eb")
	require.NoError(t, err)
	got := stream.CachedInfo().Config
	require.Equal(t, []string{"a.b"}, got.Subjects)
	require.Equal(t, jetstream.MemoryStorage, got.Storage)
	require.Equal(t, time.Hour, got.MaxAge)
	require.Equal(t, time.Second, got.Duplicates)
	consumer, err := stream.Consumer(t.Context(), "g=201")
	require.NoError(t, err)
	made := consumer.CachedInfo().Config
	require.Equal(t, jetstream.AckExplicitPolicy, made.AckPolicy)
	require.Equal(t, config.AckWait, made.AckWait)
	require.Equal(t, -1, made.MaxDeliver)
	require.Equal(t, config.MaxAckPending, made.MaxAckPending)

	config.Stream.Replicas = 3
	_, err = join(t, dial(t, config), "g").Subscriber.Subscribe(t.Context(), "c")
	requireRefused(t, err, "resources", "broker.nats.stream")
}

// logs is a log that tests read while it is written.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.text.Bytes(), []byte(part))
}

// Whoever deletes the stream or the consumer under a reader loses what was deleted, and nothing else. Positions go on growing.
func TestDeletedWhileRunning(t *testing.T) {
	for name, remove := range map[string]func(ctx context.Context, b *Backend) error{
		"stream":   func(ctx context.Context, b *Backend) error { return b.js.DeleteStream(ctx, "events") },
		"consumer": func(ctx context.Context, b *Backend) error { return b.js.DeleteConsumer(ctx, "events", "g") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := dial(t, quick(embedded(t).ClientURL()))
			var log logs
			broker := join(t, backend, "g", func(o *pubsub.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			messages, err := broker.Subscriber.Subscribe(t.Context(), "events")
			require.NoError(t, err)
			require.NoError(t, broker.Publisher.Publish("events", numbered(0, 2)...))
			done, held := receive(t, messages), receive(t, messages)
			done.Ack()
			until(t, 5*time.Second, func() bool {
				lag, err := broker.Lag.Lag(t.Context(), "events")
				return err == nil && lag.Pending == 1
			}, func() string { return "the ack is not confirmed" })
			require.NoError(t, remove(t.Context(), backend))
			until(t, 10*time.Second, func() bool { return log.count("it is created again") == 1 }, func() string { return log.text.String() })
			held.Ack()
			require.NoError(t, broker.Publisher.Publish("events", numbered(2, 1)...))
			next := receive(t, messages)
			for string(next.Payload) != "2" { // a new consumer reads what there is
				require.Equal(t, "consumer", name)
				next.Ack()
				next = receive(t, messages)
			}
			require.Equal(t, name == "consumer", delivery.Of(held).Source == delivery.Of(next).Source)
			require.True(t, delivery.Of(held).Position.Less(delivery.Of(next).Position), "%s, then %s", delivery.Of(held).Position, delivery.Of(next).Position)
			next.Ack()
			require.NoError(t, broker.Subscriber.Close(), "all acks are told")
			require.Equal(t, 1, log.count("level=WARN"), log.text.String())
		})
	}
}
