package pubsubtest

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
)

// settle subscribes the processes of one group to the topic, and returns when each of them is given messages, all are acked, and
// nothing comes again: while a group takes members in, some brokers give what one had in hand to another.
func settle(t testing.TB, s suite, topic string, processes ...*process) []<-chan *message.Message {
	t.Helper()
	channels := make([]<-chan *message.Message, len(processes))
	for i, p := range processes {
		channels[i] = p.subscribe(topic)
	}
	given := make(map[int]bool)
	deadline := time.Now().Add(2 * s.patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	n := 0
	for ; len(given) < len(channels); n++ {
		require.True(t, time.Now().Before(deadline), "only %d of %d consumers of the group are given messages", len(given), len(channels))
		processes[0].publish(topic, -1-n, 1)
		i, msg := receiveFrom(t, deadline, channels...)
		msg.Ack()
		given[i] = true
		<-tick.C
	}
	until(t, s.patience, func() bool { return sum(processes, pubsub.EventAcked) >= n }, func() string { return "the acks are not confirmed" })
	ackUntilQuiet(t, s, 300*time.Millisecond, channels...)
	return channels
}

// sum counts an event over processes.
func sum(processes []*process, event pubsub.Event) (n int) {
	for _, p := range processes {
		n += p.events.of(event)
	}
	return n
}

// threeShare: three consumers share the messages of a group, each handled once; when one dies, the others get what it held.
func threeShare(t testing.TB, s suite) {
	if !s.caps.Shared {
		notApplicable(t, "several processes cannot share a group")
	}
	if s.Link == nil {
		notApplicable(t, "there is no network that could take a consumer away")
	}
	topic, group := s.names(t)
	dying, cut, _ := s.link(t, group)
	living := s.open(t, group)
	all := []*process{living, s.open(t, group), dying}
	channels := settle(t, s, topic, all...)
	acked := sum(all, pubsub.EventAcked)
	living.publish(topic, 0, 300)
	shared := tallyOf(receiveAll(t, s, 300, channels...)...)
	require.Equal(t, numbers(0, 300), shared, "each message once")

	seen, n := tally{}, 0
	for held := 0; held < 5; n++ { // the dying one keeps what it is given
		living.publish(topic, 1000+n, 1)
		i, msg := receiveFrom(t, time.Now().Add(s.patience), channels...)
		if i == 2 {
			held++
			continue
		}
		seen[string(msg.Payload)]++
		msg.Ack()
	}
	acked += 300 + len(seen)
	until(t, s.patience, func() bool { return sum(all, pubsub.EventAcked) >= acked }, func() string { return "the acks are not confirmed" })
	dying.die(cut)
	deadline := time.Now().Add(s.Redelivered + s.patience/5)
	for len(seen) < n {
		_, msg := receiveFrom(t, deadline, channels[:2]...)
		seen[string(msg.Payload)]++
		msg.Ack()
	}
	require.Equal(t, numbers(1000, n), seen, "each message that has an outcome once")
}

// receiveAll receives n messages from any of the channels, and acks them.
func receiveAll(t testing.TB, s suite, n int, channels ...<-chan *message.Message) (all []*message.Message) {
	t.Helper()
	for range n {
		msg := receive(t, s, channels...)
		msg.Ack()
		all = append(all, msg)
	}
	return all
}

// groupsGetAll: each group gets each message.
func groupsGetAll(t testing.TB, s suite) {
	topic, group := s.names(t)
	other := unique("group")
	s.forget(t, topic, other)
	one := s.open(t, group)
	two := s.beside(t, one, other)
	channels := []<-chan *message.Message{one.subscribe(topic), two.subscribe(topic)}
	one.publish(topic, 0, 100)
	for i, messages := range channels {
		all := receiveN(t, s, messages, 100)
		ackAll(all...)
		require.Equal(t, numbers(0, 100), tallyOf(all...), "of group %d", i)
	}
	none(t, 300*time.Millisecond, "each group has got everything once", channels...)
}

// groupGetsOld: a group gets what was published before its first subscription.
func groupGetsOld(t testing.TB, s suite) {
	topic, group := s.names(t)
	p := s.open(t, group)
	p.publish(topic, 0, 20)
	all := receiveN(t, s, p.subscribe(topic), 20)
	ackAll(all...)
	require.Equal(t, numbers(0, 20), tallyOf(all...))
}
