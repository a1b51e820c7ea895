package amqp

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	rabbit "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

// texts makes messages of payloads, with a context.
func texts(ctx context.Context, payloads ...string) []*message.Message {
	messages := make([]*message.Message, len(payloads))
	for i, payload := range payloads {
		messages[i] = message.NewMessageWithContext(ctx, "uuid-"+payload, []byte(payload))
	}
	return messages
}

func publish(t testing.TB, backend *Backend, topic string, payloads ...string) {
	t.Helper()
	require.NoError(t, backend.Publisher().Publish(topic, texts(context.Background(), payloads...)...))
}

// ready returns how many messages a queue has.
func ready(t testing.TB, queue string) (n int) {
	t.Helper()
	onServer(t, func(channel *rabbit.Channel) {
		state, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil)
		require.NoError(t, err)
		n = state.Messages
	})
	return n
}

// What is published while nobody subscribes waits in the queue of the topic, and survives that the queue is deleted between two calls.
func TestPublishWithoutGroup(t *testing.T) {
	topic := unique(t, "g")
	backend := connect(t, quick(serverAddr))
	many := make([]string, 2*publishChunk+10)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	publish(t, backend, topic, many...)
	require.Equal(t, len(many), ready(t, topic))
	onServer(t, func(channel *rabbit.Channel) {
		_, err := channel.QueueDelete(topic, false, false, false)
		require.NoError(t, err)
	})
	require.Error(t, backend.Publisher().Publish(topic, texts(context.Background(), "lost?")...), "it cannot be routed, and that is no success")
	publish(t, backend, topic, "x")
	require.Equal(t, 1, ready(t, topic))

	broker := open(t, backend, "g")
	messages := subscribe(t, broker, topic)
	msg := receive(t, messages)
	require.Equal(t, "x", string(msg.Payload))
	require.Equal(t, "uuid-x", msg.UUID)
	msg.Ack()
	publish(t, backend, topic, "y")
	receive(t, messages).Ack()
	require.Zero(t, ready(t, topic), "with a group, the queue of the topic gets nothing")
}

// An exchange that is deleted costs one call at most.
func TestPublishAfterDelete(t *testing.T) {
	topic := unique(t)
	backend := connect(t, quick(serverAddr))
	publish(t, backend, topic, "1")
	onServer(t, func(channel *rabbit.Channel) { require.NoError(t, channel.ExchangeDelete(topic, false, false)) })
	err := backend.Publisher().Publish(topic, texts(context.Background(), "2")...)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "NOT_FOUND")
	publish(t, backend, topic, "3")
	require.Equal(t, 2, ready(t, topic))
}

// A queue that takes no more is an error, not silence.
func TestPublishOverflow(t *testing.T) {
	topic := unique(t)
	backend := connect(t, quick(serverAddr))
	onServer(t, func(channel *rabbit.Channel) {
		_, err := channel.QueueDeclare(topic, true, false, false, false, rabbit.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
		require.NoError(t, err)
	})
	publish(t, backend, topic, "1")
	until(t, "the queue takes no more", func() bool {
		err := backend.Publisher().Publish(topic, texts(context.Background(), "2")...)
		require.True(t, err == nil || fault.KindOf(err) == fault.Unavailable, "%v", err)
		return err != nil && strings.Contains(err.Error(), "did not confirm 1 of 1")
	})
}

// Metadata that RabbitMQ would take for addresses, or for its own, arrives as it was sent, and sends nothing elsewhere.
func TestPublishAddresses(t *testing.T) {
	topic, elsewhere := unique(t, "g"), unique(t)
	backend := connect(t, quick(serverAddr))
	onServer(t, func(channel *rabbit.Channel) {
		_, err := channel.QueueDeclare(elsewhere, true, false, false, false, nil)
		require.NoError(t, err)
	})
	messages := subscribe(t, open(t, backend, "g"), topic)
	msg := texts(context.Background(), "1")[0]
	msg.Metadata = message.Metadata{"CC": elsewhere, "BCC": elsewhere, "x-death": "[]", "x-match": "any"}
	require.NoError(t, backend.Publisher().Publish(topic, msg))
	got := receive(t, messages)
	for key, value := range msg.Metadata {
		require.Equal(t, value, got.Metadata[key], key)
	}
	got.Ack()
	require.Zero(t, ready(t, elsewhere))
}

func TestPublishRefused(t *testing.T) {
	needServer(t)
	backend := connect(t, quick(serverAddr))
	for _, topic := range []string{"", "amq.topic", strings.Repeat("x", 256), "\xff"} {
		err := backend.Publisher().Publish(topic, texts(context.Background(), "1")...)
		require.Equal(t, fault.Invalid, fault.KindOf(err), "%q: %v", topic, err)
		_, err = open(t, backend, "g").Subscriber.Subscribe(context.Background(), topic)
		require.Equal(t, fault.Invalid, fault.KindOf(err), "%q: %v", topic, err)
	}
	topic := unique(t)
	large := texts(context.Background(), "1")[0]
	large.Metadata = message.Metadata{"k": strings.Repeat("x", 200_000)}
	err := backend.Publisher().Publish(topic, large)
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	large.Metadata["k"] = strings.Repeat("x", 128<<10-1200)
	require.NoError(t, backend.Publisher().Publish(topic, large), "what just fits")

	require.NoError(t, backend.Close())
	err = backend.Publisher().Publish(topic, texts(context.Background(), "1")...)
	require.Equal(t, fault.Canceled, fault.KindOf(err), "%v", err)
	require.Equal(t, fault.Canceled, fault.KindOf(backend.Ping(context.Background())))
}

// Many callers publish at the same time, more than there are channels.
func TestPublishConcurrently(t *testing.T) {
	topic := unique(t)
	backend := connect(t, quick(serverAddr))
	var calls sync.WaitGroup
	failed := make(chan error, 3*publishers)
	for range 3 * publishers {
		calls.Go(func() { failed <- backend.Publisher().Publish(topic, texts(context.Background(), "a", "b")...) })
	}
	calls.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	require.Equal(t, 6*publishers, ready(t, topic))
}

// While the server is short of memory nothing can be published, and acks go through.
func TestPublishBlocked(t *testing.T) {
	topic := unique(t, "g")
	r := startRelay(t)
	config := quick(r.addr)
	config.Heartbeat = time.Minute // nothing is sent unasked
	backend := connect(t, config)  // connection 0
	broker := open(t, backend, "g")
	messages := subscribe(t, broker, topic)
	publish(t, backend, topic, "1") // connection 1
	held := receive(t, messages)

	r.say(t, 1, 60, "\x06memory")
	conn, err := backend.publisher.line.get(context.Background())
	require.NoError(t, err)
	until(t, "the client has heard it", func() bool { return conn.blocked.Load() != nil })
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	err = backend.Publisher().Publish(topic, texts(ctx, "2")...)
	require.Less(t, time.Since(began), time.Second)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "short of memory or disk")
	held.Ack()
	until(t, "the ack is confirmed", func() bool { return broker.Subscriber.(interface{ InHand(string) int }).InHand(topic) == 0 })

	waiting := make(chan error, 1)
	go func() { waiting <- backend.Publisher().Publish(topic, texts(context.Background(), "3")...) }()
	none(t, messages, 100*time.Millisecond)
	r.say(t, 1, 61, "")
	require.NoError(t, <-waiting)
	msg := receive(t, messages)
	require.Equal(t, "3", string(msg.Payload))
	msg.Ack()
}
