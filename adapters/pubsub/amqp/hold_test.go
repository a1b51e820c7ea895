package amqp

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	rabbit "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
)

// barrier is a pubsub.Gate that a test closes; it does not open again.
type barrier struct{ closed, waiting chan struct{} }

func newBarrier() *barrier {
	return &barrier{make(chan struct{}), make(chan struct{}, 1)}
}

func (b *barrier) Wait(ctx context.Context) error {
	select {
	case <-b.closed:
	default:
		return ctx.Err()
	}
	select {
	case b.waiting <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return ctx.Err()
}

// What was pushed to a process that does not read any more is handed back after max_hold, so that others get it.
func TestHandBackWhilePaused(t *testing.T) {
	topic := unique(t, "g")
	config := quick(serverAddr)
	config.MaxHold = 500 * time.Millisecond
	gate := newBarrier()
	messages := subscribe(t, open(t, connect(t, config), "g", func(o *pubsub.Options) { o.Gate = gate }), topic)
	publish(t, connect(t, config), topic, "first")
	receive(t, messages).Ack()
	close(gate.closed)
	<-gate.waiting

	other := connect(t, config)
	publish(t, other, topic, "1", "2", "3")
	until(t, "they are pushed to the only consumer", func() bool { return ready(t, topic+"_g") == 0 })
	theirs := subscribe(t, open(t, other, "g"), topic)
	for range 3 {
		msg := receive(t, theirs)
		require.Equal(t, 2, delivery.Of(msg).Deliveries)
		msg.Ack()
	}
	none(t, messages, 50*time.Millisecond)
}

// A stop hands back what was pushed and nobody has taken at once, not when the last handler is done.
func TestHandBackAtStop(t *testing.T) {
	topic := unique(t, "g")
	config := quick(serverAddr)
	config.InFlight = 10
	slow := open(t, connect(t, config), "g", func(o *pubsub.Options) { o.CloseTimeout = patience })
	messages := subscribe(t, slow, topic)
	payloads := make([]string, 20)
	for i := range payloads {
		payloads[i] = fmt.Sprint(i)
	}
	backend := connect(t, quick(serverAddr))
	publish(t, backend, topic, payloads...)
	held := receive(t, messages)
	done := make(chan error, 1)
	go func() { done <- slow.Subscriber.Close() }()

	theirs := subscribe(t, open(t, backend, "g"), topic)
	for range 10 { // those that the window had no room for; the others wait for the close
		receive(t, theirs).Ack()
	}
	held.Ack()
	require.NoError(t, <-done)
	for range 9 {
		receive(t, theirs).Ack()
	}
	none(t, theirs, 200*time.Millisecond)
}

// The floor is the beginning of the window, or the arrival of the oldest message in hand.
func TestFloors(t *testing.T) {
	topic := unique(t, "g")
	backend := connect(t, quick(serverAddr))
	broker := open(t, backend, "g", func(o *pubsub.Options) { o.DedupWindow = 0 })
	messages := subscribe(t, broker, topic)
	floor := func() uint64 {
		floors, err := broker.Floors.Floors(context.Background(), topic)
		require.NoError(t, err)
		require.Len(t, floors, 1)
		return floors["ns:"+topic].Major
	}
	before := uint64(time.Now().UnixMilli())
	require.GreaterOrEqual(t, floor(), before)
	publish(t, backend, topic, "1")
	held := receive(t, messages)
	require.Equal(t, "ns:"+topic, held.Metadata[delivery.KeySource])
	stays := floor()
	until(t, "time passes", func() bool { return uint64(time.Now().UnixMilli()) > stays+5 })
	require.Equal(t, stays, floor(), "a message is in hand")
	held.Ack()
	until(t, "the floor rises", func() bool { return floor() > stays })

	broker = open(t, backend, "g", func(o *pubsub.Options) { o.DedupWindow = time.Hour })
	now := uint64(time.Now().UnixMilli())
	require.InDelta(t, now-3_600_000, floor(), 5_000)
}

// The lag is that of the group's queue and of the topic's: what waits for whoever comes first waits for this group, too.
func TestLag(t *testing.T) {
	topic := unique(t, "g")
	backend := connect(t, quick(serverAddr))
	broker := open(t, backend, "g")
	lag := func() pubsub.Lag {
		lag, err := broker.Lag.Lag(context.Background(), topic)
		require.NoError(t, err)
		return lag
	}
	require.Equal(t, pubsub.Lag{}, lag(), "there is no such topic")
	publish(t, backend, topic, "1", "2")
	until(t, "the topic's queue counts", func() bool { return lag() == pubsub.Lag{Waiting: 2} })
	messages := subscribe(t, broker, topic)
	held := receive(t, messages)
	receive(t, messages).Ack()
	until(t, "one is in hand", func() bool { return lag() == pubsub.Lag{Pending: 1} })
	held.Ack()
	until(t, "all is done", func() bool { return lag() == pubsub.Lag{} })
}

// Where messages are large, fewer are prefetched than may be in flight: what is too much to keep is handed back, and others get it.
func TestPrefetchOfLargeMessages(t *testing.T) {
	topic := unique(t, "g")
	gate := newBarrier()
	config := quick(serverAddr)
	config.MaxHold = time.Hour
	backend := connect(t, config)
	backend.unread = 10_000
	messages := subscribe(t, open(t, backend, "g", func(o *pubsub.Options) { o.Gate = gate }), topic)
	publish(t, backend, topic, "first")
	receive(t, messages).Ack()
	close(gate.closed)
	<-gate.waiting
	large := make([]string, 20)
	for i := range large {
		large[i] = strings.Repeat("x", 1_000)
	}
	publish(t, backend, topic, large...)
	theirs := subscribe(t, open(t, connect(t, quick(serverAddr)), "g"), topic)
	for range large {
		receive(t, theirs).Ack()
	}
}

func TestFitting(t *testing.T) {
	inbox := newInbox()
	require.Zero(t, inbox.fitting(100), "nothing waits")
	for range 4 {
		inbox.put(rabbit.Delivery{Body: make([]byte, 50)})
	}
	require.Zero(t, inbox.fitting(200))
	require.Equal(t, 2, inbox.fitting(100))
	require.Equal(t, 1, inbox.fitting(10), "the largest messages come one by one")
	require.Len(t, inbox.take(3), 3)
	require.Zero(t, inbox.fitting(50), "what was taken does not count")
	require.Len(t, inbox.take(9), 1)
	require.Zero(t, inbox.fitting(0))
}
