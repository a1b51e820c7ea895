package pubsubtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
)

// lagIsRight: the lag says how many messages wait, and how many have no outcome; nothing of what does not exist.
func lagIsRight(t testing.TB, s suite) {
	if !s.caps.Lag {
		notApplicable(t, "the backend cannot tell what waits")
	}
	topic, group := s.names(t)
	p := s.open(t, group)
	requireLag(t, p, unique("nowhere"), 0, 0)
	messages := p.subscribe(topic)
	requireLag(t, p, topic, 0, 0)
	p.publish(topic, 0, s.window()+100)
	held := receiveN(t, s, messages, s.window())
	requireLag(t, p, topic, 100, int64(len(held)))
	held[0].Nack()
	requireLag(t, p, topic, 100, int64(len(held)))
	held[0] = receive(t, s, messages)
	ackAll(held...)
	requireLag(t, p, topic, 0, 100) // the others have come
	ackAll(receiveN(t, s, messages, 100)...)
	requireLag(t, p, topic, 0, 0)
	p.stopped()

	next := s.after(t, p)
	next.publish(topic, 0, 10)
	requireLag(t, next, topic, 10, 0)
}

// requireLag waits until the lag is as it must be, where the backend can tell.
func requireLag(t testing.TB, p *process, topic string, waiting, pending int64) {
	t.Helper()
	require.NotNil(t, p.broker.Lag, "the capabilities promise a lag")
	want := pubsub.Lag{Waiting: waiting, Pending: pending}
	var got pubsub.Lag
	until(t, p.s.patience/3, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), p.s.patience/3)
		defer cancel()
		var err error
		got, err = p.broker.Lag.Lag(ctx, topic)
		require.NoError(t, err, "lag")
		exact := got
		if got.Waiting == -1 {
			exact.Waiting = waiting
		}
		return exact == want
	}, func() string { return fmt.Sprintf("the lag is %+v, not %+v", got, want) })
}
