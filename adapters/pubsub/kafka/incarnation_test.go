package kafka

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
)

// recreate deletes a topic and creates it again, with one partition.
func recreate(t testing.TB, backend *Backend, topic string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := backend.admin.DeleteTopic(ctx, topic)
	require.NoError(t, err)
	_, err = backend.admin.CreateTopic(ctx, 1, -1, nil, topic)
	require.NoError(t, err)
}

func floorsOf(t testing.TB, broker pubsub.Broker, topic string) map[string]delivery.Position {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	floors, err := broker.Floors.Floors(ctx, topic)
	require.NoError(t, err)
	return floors
}

// A topic that is deleted and created anew while it is read is read on from its beginning, under another source. The floors of the
// two do not mix.
func TestTopicCreatedAnew(t *testing.T) {
	c := fake(t, kfake.SeedTopics(1, "t"))
	backend := dial(t, quick(c.ListenAddrs()))
	broker := join(t, backend, "g")
	publish(t, broker, "t", 0, 20)
	messages := subscribe(t, broker, "t")
	for n := range 19 {
		receiveNumber(t, messages, n).Ack()
	}
	held := receiveNumber(t, messages, 19)
	old := delivery.Of(held).Source
	require.Regexp(t, `^ns:t#[A-Za-z0-9_-]{22}/0$`, old)
	until(t, 10*time.Second, func() bool { return floorsOf(t, broker, "t")[old] == delivery.Position{Major: 20} }, func() string { return "19 are done" })

	recreate(t, backend, "t")
	floors := floorsOf(t, broker, "t")
	require.Equal(t, delivery.Position{Major: 20}, floors[old], "what is in hand")
	require.Len(t, floors, 2)
	until(t, 10*time.Second, func() bool { // the publisher's client may have to find out first
		return broker.Publisher.Publish("t", message.NewMessage("", []byte("100"))) == nil
	}, func() string { return "nothing can be published" })
	publish(t, broker, "t", 101, 4)
	for n := range 5 {
		msg := receiveNumber(t, messages, 100+n)
		at := delivery.Of(msg)
		require.Equal(t, 1, at.Deliveries)
		require.NotEqual(t, old, at.Source)
		require.Contains(t, floors, at.Source)
		require.Zero(t, floors[at.Source], "nothing of the new one was done")
		require.EqualValues(t, n+1, at.Position.Major)
		if n < 4 {
			msg.Ack()
			continue
		}
		defer msg.Ack()
	}
	held.Ack() // does not count in the new topic
	until(t, 10*time.Second, func() bool { _, told := floorsOf(t, broker, "t")[old]; return !told }, func() string { return "nothing is in hand of the old one" })
	until(t, 10*time.Second, func() bool { return floorOf(t, broker, "t", "ns:t/0") == 5 }, func() string { return "four of the new one are done" })
}

// A commit that was meant for the topic before this one, as brokers take them by the name, neither hides messages nor raises the floor.
func TestStrayCommit(t *testing.T) {
	c := fake(t, kfake.SeedTopics(1, "t"))
	backend := dial(t, quick(c.ListenAddrs()))
	broker := join(t, backend, "g")
	publish(t, broker, "t", 0, 20)
	before, _, err := backend.describe(context.Background(), "t")
	require.NoError(t, err)
	for name, test := range map[string]struct {
		metadata string
		floor    uint64
		first    int
	}{
		"of this one":   {before.sign(""), 11, 10},
		"of nobody":     {"", 11, 10},
		"of one before": {incarnation("AAAAAAAAAAAAAAAAAAAAAA").sign(""), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			group := "g " + name
			offsets := kadm.Offsets{}
			offsets.Add(kadm.Offset{Topic: "t", Partition: 0, At: 10, LeaderEpoch: -1, Metadata: test.metadata})
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			require.NoError(t, backend.admin.CommitAllOffsets(ctx, group, offsets))
			broker := join(t, backend, group)
			require.Equal(t, test.floor, floorOf(t, broker, "t", "ns:t/0"))
			receiveNumber(t, subscribe(t, broker, "t"), test.first).Ack()
		})
	}
}

// Brokers before 2.8 know no ids of topics.
func TestWithoutIncarnation(t *testing.T) {
	c := fake(t, kfake.SeedTopics(1, "t"), kfake.MaxVersions(kversion.V2_7_0()))
	broker := join(t, dial(t, quick(c.ListenAddrs())), "g")
	publish(t, broker, "t", 0, 1)
	msg := receiveNumber(t, subscribe(t, broker, "t"), 0)
	require.Equal(t, "ns:t/0", delivery.Of(msg).Source)
	msg.Ack()
	until(t, 10*time.Second, func() bool { return floorsOf(t, broker, "t")["ns:t/0"] == delivery.Position{Major: 2} }, func() string { return "the floor does not rise" })
}

func receiveNumber(t testing.TB, messages <-chan *message.Message, n int) *message.Message {
	t.Helper()
	msg := receive(t, messages)
	require.Equal(t, fmt.Sprint(n), string(msg.Payload))
	return msg
}
