package pubsubtest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
)

// waiting is how many messages wait when the window is looked at.
const waiting = 1000

// batchesFill: handlers that all hold their message see as many at once as the backend promises, and never more.
func batchesFill(t testing.TB, s suite) {
	topic, group := s.names(t)
	p := s.open(t, group)
	messages := p.subscribe(topic)
	p.publish(topic, 0, waiting)
	window := min(s.window(), waiting-100)
	require.GreaterOrEqual(t, window, 100, "so few messages in flight make no batches")
	held := receiveN(t, s, messages, window)
	none(t, 300*time.Millisecond, "the window is full", messages)
	ackAll(held[:50]...)
	more := receiveN(t, s, messages, 50)
	none(t, 300*time.Millisecond, "the window is full again", messages)
	all := append(held, more...)
	ackAll(all...)
	for len(all) < waiting {
		msg := receive(t, s, messages)
		msg.Ack()
		all = append(all, msg)
	}
	require.Equal(t, numbers(0, waiting), tallyOf(all...), "each message once")
}

// gate is a pubsub.Gate that a test opens and closes. The zero gate is open.
type gate struct {
	closed  atomic.Pointer[chan struct{}] // of the channel that opens it
	waiters atomic.Int64
}

func (g *gate) Wait(ctx context.Context) error {
	open := g.closed.Load()
	if open == nil {
		return ctx.Err()
	}
	g.waiters.Add(1)
	defer g.waiters.Add(-1)
	select {
	case <-*open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) close() {
	open := make(chan struct{})
	g.closed.Store(&open)
}

func (g *gate) open() { close(*g.closed.Swap(nil)) }

// gatePauses: while the gate is closed nothing is read, and what came meanwhile comes when it opens.
func gatePauses(t testing.TB, s suite) {
	topic, group := s.names(t)
	g := &gate{}
	g.close()
	p := s.open(t, group, func(o *pubsub.Options) { o.Gate = g })
	messages := p.subscribe(topic)
	p.publish(topic, 0, 20)
	none(t, 500*time.Millisecond, "the gate was never open", messages)
	g.open()
	ackAll(receiveN(t, s, messages, 20)...)

	g.close()
	until(t, 3*time.Second, func() bool { return g.waiters.Load() > 0 }, func() string { return "the reader does not ask the gate" })
	p.publish(topic, 20, 20)
	none(t, 500*time.Millisecond, "the gate is closed", messages)
	g.open()
	all := receiveN(t, s, messages, 20)
	require.Equal(t, numbers(20, 20), tallyOf(all...))
	ackAll(all...)
}

// cancelStops: the end of its context ends an idle subscription within a second, and nothing else.
func cancelStops(t testing.TB, s suite) {
	topic, group := s.names(t)
	p := s.open(t, group)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	messages, err := p.broker.Subscriber.Subscribe(ctx, topic)
	require.NoError(t, err)
	p.publish(topic, 0, 10)
	ackAll(receiveN(t, s, messages, 10)...)
	until(t, s.patience, func() bool { return p.events.of(pubsub.EventAcked) == 10 }, func() string { return "the acks are not confirmed" })

	cancel()
	end := time.NewTimer(time.Second)
	defer end.Stop()
	select {
	case msg, open := <-messages:
		require.False(t, open, "message %v came after the end", msg)
	case <-end.C:
		t.Fatal("the channel is open a second after the end of the context")
	}

	p.publish(topic, 10, 10)
	all := receiveN(t, s, p.subscribe(topic), 10)
	require.Equal(t, numbers(10, 10), tallyOf(all...), "the next subscription gets what comes after")
	ackAll(all...)
}
