package pubsubtest

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

const noNetwork = "the messages live and die with the process"

// crashLosesNothing: what a process had in hand when it died comes again in time, counted; what it had acked does not.
func crashLosesNothing(t testing.TB, s suite) {
	if s.Link == nil {
		notApplicable(t, noNetwork)
	}
	topic, group := s.names(t)
	p, cut, _ := s.link(t, group)
	messages := p.subscribe(topic)
	p.publish(topic, 0, 20)
	held := receiveN(t, s, messages, 20)
	ackAll(held[:10]...)
	until(t, s.patience, func() bool { return p.events.of(pubsub.EventAcked) == 10 }, func() string { return "the acks are not confirmed" })
	p.die(cut)

	deadline := time.Now().Add(s.Redelivered + s.patience/5)
	next := s.open(t, group)
	messages = next.subscribe(topic)
	var again []*message.Message
	for range 10 {
		_, msg := receiveFrom(t, deadline, messages)
		again = append(again, msg)
		if s.caps.DeliveryCount {
			require.GreaterOrEqual(t, delivery.Of(msg).Deliveries, 2, "a delivery to a process that died counts")
		}
	}
	require.Equal(t, tallyOf(held[10:]...), tallyOf(again...), "what had no outcome, and nothing else")
	ackAll(again...)
	next.stopped()
	none(t, s.Redelivered, "all are acked", s.after(t, next).subscribe(topic))
}

// outageLosesNothing: while the broker is away publishing fails in a way that is retried; afterwards everything flows again.
func outageLosesNothing(t testing.TB, s suite) {
	if s.Link == nil {
		notApplicable(t, noNetwork)
	}
	topic, group := s.names(t)
	p, cut, mend := s.link(t, group)
	outside := s.open(t, unique("unused"))
	messages := p.subscribe(topic)
	outside.publish(topic, 0, 50)
	held := receiveN(t, s, messages, 50)
	ackAll(held[:20]...)

	cut()
	ackAll(held[20:30]...)
	outside.publish(topic, 50, 50)
	stayAway(t, p, topic)
	mend()

	ackAll(held[30:]...)
	want := numbers(50, 60)
	until(t, 2*s.patience, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), s.patience)
		defer cancel()
		return p.backend.Publisher().Publish(topic, numbered(ctx, 100, 10)...) == nil
	}, func() string { return "publishing fails, though the broker is back" })
	deadline := time.Now().Add(2 * s.patience)
	for len(want) > 0 { // some may come twice
		_, msg := receiveFrom(t, deadline, messages)
		delete(want, string(msg.Payload))
		msg.Ack()
	}
	require.NoError(t, p.backend.Ping(context.Background()))
	ackUntilQuiet(t, s, s.Redelivered+500*time.Millisecond, messages)
	p.stopped()
	none(t, s.Redelivered, "all are acked", s.after(t, p).subscribe(topic))
}

// stayAway lets an outage take a second, and tries to publish and to ping meanwhile.
func stayAway(t testing.TB, p *process, topic string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < time.Second; <-tick.C {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		tried := time.Now()
		refused(t, "publish", p.backend.Publisher().Publish(topic, numbered(ctx, -1, 1)...))
		refused(t, "ping", p.backend.Ping(ctx))
		require.Less(t, time.Since(tried), 5*time.Second, "a context of 2s bounds publish and ping")
	}
}

// refused holds that an error says that the broker is away.
func refused(t testing.TB, what string, err error) {
	t.Helper()
	require.Error(t, err, "%s without a broker", what)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%s without a broker: %v", what, err)
}
