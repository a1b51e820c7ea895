package nats

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
)

// foreign makes a stream of a topic whose sequences begin with 1, and the consumer of a group.
func foreign(t testing.TB, backend *Backend, topic, group string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stream, err := backend.js.CreateStream(ctx, jetstream.StreamConfig{Name: topic, Subjects: []string{topic}})
	require.NoError(t, err)
	_, err = stream.CreateConsumer(ctx, backend.consumerConfig(group, topic))
	require.NoError(t, err)
}

// A stream that is deleted and created anew while it is read, is read under another source, whether the reader hears of it or not:
// it does not while it has no room for more. Floors and acks of the two do not mix.
func TestStreamCreatedAnew(t *testing.T) {
	for name, inFlight := range map[string]int{"heard of": 10, "found out": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := quick(embedded(t).ClientURL())
			config.InFlight, config.Timeout = inFlight, 2*time.Second
			backend := dial(t, config)
			broker := join(t, backend, "g")
			floors := func() map[string]delivery.Position {
				floors, err := broker.Floors.Floors(t.Context(), "events")
				require.NoError(t, err)
				return floors
			}
			foreign(t, backend, "events", "g")
			messages, err := broker.Subscriber.Subscribe(t.Context(), "events")
			require.NoError(t, err)
			require.NoError(t, broker.Publisher.Publish("events", numbered(0, 5)...))
			for range 3 {
				receive(t, messages).Ack()
			}
			first, second := receive(t, messages), receive(t, messages)
			old := delivery.Of(first).Source
			require.Regexp(t, `^ns:events#[0-9a-z]+$`, old)
			until(t, 5*time.Second, func() bool { return floors()[old] == delivery.Position{Major: 4} }, func() string { return fmt.Sprint(floors()) })

			require.NoError(t, backend.js.DeleteStream(t.Context(), "events"))
			require.Equal(t, map[string]delivery.Position{old: {Major: 4}}, floors(), "what is in hand")
			foreign(t, backend, "events", "g")
			require.NoError(t, broker.Publisher.Publish("events", numbered(10, 5)...))
			at := floors()
			require.Len(t, at, 2)
			require.Equal(t, delivery.Position{Major: 4}, at[old])
			first.Ack()
			second.Ack()
			for n := range 5 {
				msg := receive(t, messages)
				require.Equal(t, fmt.Sprint(10+n), string(msg.Payload))
				got := delivery.Of(msg)
				require.NotEqual(t, old, got.Source)
				require.Contains(t, at, got.Source)
				require.Equal(t, delivery.Position{Major: uint64(n + 1)}, got.Position)
				until(t, 10*time.Second, func() bool { floors := floors(); return len(floors) == 1 && !got.Position.Less(floors[got.Source]) },
					func() string { return fmt.Sprintf("%d is in hand, and floors are %v", n+1, floors()) })
				msg.Ack()
			}
			until(t, 10*time.Second, func() bool { return lowestOf(floors()) == delivery.Position{Major: 6} }, func() string { return fmt.Sprint(floors()) })
			require.NoError(t, broker.Subscriber.Close())
		})
	}
}

func lowestOf(floors map[string]delivery.Position) (lowest delivery.Position) {
	for _, floor := range floors {
		if lowest == (delivery.Position{}) || floor.Less(lowest) {
			lowest = floor
		}
	}
	return lowest
}
