package pubsubtest

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
)

// closeDrains: a close lets slow handlers finish and tells the broker of every outcome. What is acked never comes again; what is
// not, comes again at once.
func closeDrains(t testing.TB, s suite) {
	topic, group := s.names(t)
	p := s.open(t, group, func(o *pubsub.Options) { o.CloseTimeout = s.patience })
	messages := p.subscribe(topic)
	n := s.window() + 100
	p.publish(topic, 0, n)
	held := receiveN(t, s, messages, 30)

	closeBeside(t, p, func() { finishSlowly(t, held) })
	for msg := range messages {
		t.Fatalf("message %q came after the close", msg.Payload)
	}
	p.stopped()

	next := s.after(t, p)
	messages = next.subscribe(topic)
	want := numbers(0, n)
	for _, msg := range held[1:] {
		delete(want, string(msg.Payload))
	}
	again := []*message.Message{receive(t, s, messages)}
	again[0].Ack()
	began := time.Now()
	for len(again) < len(want) {
		_, msg := receiveFrom(t, began.Add(time.Second), messages)
		msg.Ack()
		again = append(again, msg)
	}
	require.Equal(t, want, tallyOf(again...), "what was not acked, and nothing else, at once")
	if s.caps.DeliveryCount {
		for _, msg := range again {
			require.LessOrEqual(t, delivery.Of(msg).Deliveries, 2)
		}
	}
	next.stopped()
	none(t, s.Redelivered, "all are acked", s.after(t, p).subscribe(topic))
}

// closeBeside closes the subscriber while handlers finish, and waits for both.
func closeBeside(t testing.TB, p *process, finish func()) {
	t.Helper()
	closed := make(chan error, 1)
	go func() { closed <- p.broker.Subscriber.Close() }()
	finish()
	end := time.NewTimer(p.s.patience)
	defer end.Stop()
	select {
	case err := <-closed:
		require.NoError(t, err, "close")
	case <-end.C:
		t.Fatal("the close does not end, though all handlers have")
	}
}

// finishSlowly gives each message an outcome, one after the other: the first is nacked, the others are acked.
func finishSlowly(t testing.TB, held []*message.Message) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i, msg := range held {
		<-tick.C
		require.NoError(t, msg.Context().Err(), "handlers may finish during a close")
		if i == 0 {
			msg.Nack()
		} else {
			msg.Ack()
		}
	}
}

// heldStays: a slow handler keeps its message for longer than the broker's own timeouts, while another consumer looks on. Where the
// broker sets a limit, a nack after it hands the message back.
func heldStays(t testing.TB, s suite) {
	require.False(t, s.caps.MaxHold > 0 && s.Hold == 0, "the capabilities have a longest hold, so the harness must configure a short one and name it")
	topic, group := s.names(t)
	consumers := []*process{s.open(t, group)}
	if s.caps.Shared {
		consumers = append(consumers, s.open(t, group))
	}
	channels := settle(t, s, topic, consumers...)
	consumers[0].publish(topic, 0, 1)
	msg := receive(t, s, channels...)
	none(t, max(s.Redelivered*3/2, s.Hold+200*time.Millisecond), "a handler has the only message", channels...)
	require.NoError(t, msg.Context().Err())
	if s.Hold > 0 {
		msg.Nack()
		_, again := receiveFrom(t, time.Now().Add(time.Second), channels...)
		require.Equal(t, "0", string(again.Payload))
		until(t, s.patience, func() bool { return sum(consumers, pubsub.EventReturned) == 1 }, func() string { return "a nack after the longest hold hands the message back, once" })
		msg = again
	}
	msg.Ack()
	for _, p := range consumers {
		p.stopped()
	}
	none(t, s.Redelivered, "the message is acked", s.after(t, consumers[0]).subscribe(topic))
}
