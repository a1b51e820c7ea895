package kafka

import (
	"context"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"leat/adapters/pubsub"
)

// floorOf returns the ack floor of a source, which is named without the incarnation of its topic.
func floorOf(t testing.TB, broker pubsub.Broker, topic, source string) uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	floors, err := broker.Floors.Floors(ctx, topic)
	require.NoError(t, err)
	for name, floor := range floors {
		if incarnations.ReplaceAllString(name, "") == source {
			return floor.Major
		}
	}
	return 0
}

var incarnations = regexp.MustCompile(`#[A-Za-z0-9_-]{22}`)

func publish(t testing.TB, broker pubsub.Broker, topic string, from, n int) {
	t.Helper()
	messages := make([]*message.Message, n)
	for i := range messages {
		messages[i] = message.NewMessage(fmt.Sprint("u", from+i), []byte(fmt.Sprint(from+i)))
	}
	require.NoError(t, broker.Publisher.Publish(topic, messages...))
}

func subscribe(t testing.TB, broker pubsub.Broker, topic string) <-chan *message.Message {
	t.Helper()
	messages, err := broker.Subscriber.Subscribe(context.Background(), topic)
	require.NoError(t, err)
	return messages
}

func quiet(t testing.TB, most time.Duration, messages <-chan *message.Message) {
	t.Helper()
	end := time.NewTimer(most)
	defer end.Stop()
	select {
	case msg := <-messages:
		t.Fatalf("message %s came", msg.Payload)
	case <-end.C:
	}
}

// One message without an ack lets its partition run ahead so far, and no further; other partitions do not notice.
func TestAheadIsBounded(t *testing.T) {
	c := fake(t, kfake.SeedTopics(1, "t"))
	config := quick(c.ListenAddrs())
	config.InFlight, config.MaxAhead = 20, 100
	broker := join(t, dial(t, config), "g")
	publish(t, broker, "t", 0, 500)
	messages := subscribe(t, broker, "t")
	first := receive(t, messages)
	came := 1
	for idle := false; !idle; {
		end := time.NewTimer(time.Second)
		select {
		case msg := <-messages:
			came++
			msg.Ack()
		case <-end.C:
			idle = true
		}
		end.Stop()
	}
	require.GreaterOrEqual(t, came, config.MaxAhead)
	require.LessOrEqual(t, came, config.MaxAhead+config.InFlight, "a round of reading more, at most")
	require.Zero(t, floorOf(t, broker, "t", "ns:t/0"), "nothing is committed")
	first.Ack()
	for ; came < 500; came++ {
		receive(t, messages).Ack()
	}
	until(t, 10*time.Second, func() bool { return floorOf(t, broker, "t", "ns:t/0") == 501 }, func() string { return "the commit stands still" })
}

// What was acked behind a message that is not done, is not delivered again to the next process.
func TestAheadIsHandedOn(t *testing.T) {
	c := fake(t, kfake.SeedTopics(1, "t"))
	broker := join(t, dial(t, quick(c.ListenAddrs())), "g")
	publish(t, broker, "t", 0, 100)
	messages := subscribe(t, broker, "t")
	for n := range 100 {
		if msg := receive(t, messages); n%10 != 3 {
			msg.Ack()
		} else {
			msg.Nack()
		}
	}
	until(t, 10*time.Second, func() bool { return floorOf(t, broker, "t", "ns:t/0") == 4 }, func() string { return "3 is the first that is not acked" })
	require.NoError(t, broker.Subscriber.Close())

	next := join(t, dial(t, quick(c.ListenAddrs())), "g")
	messages = subscribe(t, next, "t")
	for n := range 10 {
		msg := receive(t, messages)
		require.Equal(t, fmt.Sprint(10*n+3), string(msg.Payload))
		msg.Ack()
	}
	quiet(t, 300*time.Millisecond, messages)
	until(t, 10*time.Second, func() bool { return floorOf(t, next, "t", "ns:t/0") == 101 }, func() string { return "all is done" })
}

// A member that is put out of the group and comes back does not hand out again what it still has in hand, and the ack of
// that counts.
func TestPartitionComesBack(t *testing.T) {
	c := fake(t, kfake.SeedTopics(1, "t"))
	lost := make(chan int, 10)
	broker := join(t, dial(t, quick(c.ListenAddrs())), "g", func(o *pubsub.Options) {
		o.Observe = func(_ string, event pubsub.Event, n int) {
			if event == pubsub.EventLost {
				lost <- n
			}
		}
	})
	publish(t, broker, "t", 0, 10)
	messages := subscribe(t, broker, "t")
	held := make([]*message.Message, 10)
	for n := range held {
		held[n] = receive(t, messages)
	}
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, TopLevel: true})
	select {
	case n := <-lost:
		require.Equal(t, 10, n)
	case <-time.After(15 * time.Second):
		t.Fatal("the member does not notice that it lost its partition")
	}
	publish(t, broker, "t", 10, 1)
	last := receive(t, messages)
	require.Equal(t, "10", string(last.Payload), "the ten are in hand")
	for _, msg := range held {
		require.NoError(t, msg.Context().Err())
		msg.Ack()
	}
	last.Ack()
	until(t, 10*time.Second, func() bool { return floorOf(t, broker, "t", "ns:t/0") == 12 }, func() string { return "the acks do not count" })
	quiet(t, 300*time.Millisecond, messages)
}

// The ack of a message whose partition is another member's does not move that one's commit.
func TestAckOfALostPartition(t *testing.T) {
	c := fake(t, kfake.SeedTopics(1, "t"))
	link := newProxies(t)
	config := quick(c.ListenAddrs())
	zombie := join(t, dial(t, config, kgo.Dialer(link.dial)), "g")
	publish(t, join(t, dial(t, config), "other"), "t", 0, 10)
	messages := subscribe(t, zombie, "t")
	held := make([]*message.Message, 10)
	for n := range held {
		held[n] = receive(t, messages)
	}
	link.stop()
	heir := join(t, dial(t, config), "g")
	theirs := subscribe(t, heir, "t")
	for n := range 10 {
		msg := receive(t, theirs)
		require.Equal(t, fmt.Sprint(n), string(msg.Payload))
		if n < 5 {
			msg.Ack()
		}
	}
	until(t, 10*time.Second, func() bool { return floorOf(t, heir, "t", "ns:t/0") == 6 }, func() string { return "the heir commits" })
	link.start(t)
	for _, msg := range held {
		msg.Ack()
	}
	until(t, 15*time.Second, func() bool { return len(zombie.Floors.(*group).subscriber.Lowest("t")) == 0 }, func() string { return "the acks are not put down" })
	require.EqualValues(t, 6, floorOf(t, heir, "t", "ns:t/0"), "five are in hand of the heir")
}

// A partition that goes to another member waits for the handlers that have its messages, so that nothing is handled twice.
func TestHandlersFinishBeforeAPartitionGoes(t *testing.T) {
	c := fake(t, kfake.SeedTopics(2, "t"))
	one := join(t, dial(t, quick(c.ListenAddrs())), "g")
	publish(t, one, "t", 0, 40)
	messages := subscribe(t, one, "t")
	held := make([]*message.Message, 40)
	for n := range held {
		held[n] = receive(t, messages)
	}
	taken := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Observe: true, Count: -1})
	two := join(t, dial(t, quick(c.ListenAddrs())), "g")
	theirs := subscribe(t, two, "t")
	until(t, 10*time.Second, func() bool { return taken.Hits() >= 3 }, func() string { return "the first member does not join again" })
	for _, msg := range held {
		msg.Ack()
	}
	until(t, 10*time.Second, func() bool {
		return floorOf(t, two, "t", "ns:t/0") == 21 && floorOf(t, two, "t", "ns:t/1") == 21
	}, func() string { return "not all is committed" })
	publish(t, one, "t", 40, 40)
	for mine, other := 0, 0; mine+other < 40; {
		select {
		case msg := <-messages:
			mine++
			require.Len(t, msg.Payload, 2)
			require.GreaterOrEqual(t, string(msg.Payload), "40")
			msg.Ack()
		case msg := <-theirs:
			other++
			require.Len(t, msg.Payload, 2)
			require.GreaterOrEqual(t, string(msg.Payload), "40", "the first forty are done")
			msg.Ack()
		case <-time.After(15 * time.Second):
			t.Fatalf("%d and %d of 40 came", mine, other)
		}
	}
}

// The ack of a message that was cut off the log does not count for the one that stands in its place.
func TestAckOfWhatWasCutOff(t *testing.T) {
	broker := join(t, dial(t, quick(fake(t, kfake.SeedTopics(1, "t")).ListenAddrs())), "g")
	messages := subscribe(t, broker, "t")
	publish(t, broker, "t", 0, 3)
	held := []*message.Message{receive(t, messages), receive(t, messages), receive(t, messages)}
	reader := broker.Floors.(*group)
	reader.mu.Lock()
	for s := range reader.sources {
		s.deliver(0, []*kgo.Record{{Offset: 0}, {Offset: 1}, {Offset: 2}})
	}
	reader.mu.Unlock()
	for _, msg := range held {
		msg.Ack()
	}
	until(t, 10*time.Second, func() bool { return len(reader.subscriber.Lowest("t")) == 0 }, func() string { return "the acks are not put down" })
	require.Zero(t, floorOf(t, broker, "t", "ns:t/0"))
}
