package nats

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
)

// The floor is the first message without an ack, whichever process has it, and passes only what is confirmed.
func TestFloors(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		topic := unique(t)
		t.Cleanup(func() { drop(t, address, topic) })
		backend := dial(t, quick(address))
		broker := join(t, backend, "g")
		floors, err := broker.Floors.Floors(t.Context(), topic)
		require.NoError(t, err)
		require.Empty(t, floors, "a topic that does not exist")
		source := ""
		floor := func() delivery.Position {
			floors, err := broker.Floors.Floors(t.Context(), topic)
			require.NoError(t, err)
			require.Len(t, floors, 1)
			require.Contains(t, floors, source)
			return floors[source]
		}
		messages, err := broker.Subscriber.Subscribe(t.Context(), topic)
		require.NoError(t, err)
		require.NoError(t, broker.Publisher.Publish(topic, numbered(0, 3)...))
		first, second, third := receive(t, messages), receive(t, messages), receive(t, messages)
		at := delivery.Of(second).Position
		source = delivery.Of(second).Source
		third.Ack()
		require.False(t, delivery.Of(first).Position.Less(floor()))
		first.Ack()
		until(t, 5*time.Second, func() bool { return floor() == at }, func() string { return floor().String() })
		other := join(t, dial(t, quick(address)), "g")
		floors, err = other.Floors.Floors(t.Context(), topic)
		require.NoError(t, err)
		require.Equal(t, at, floors[source], "another process sees the same")
		second.Ack()
		until(t, 5*time.Second, func() bool { return delivery.Of(third).Position.Less(floor()) }, func() string { return floor().String() })
		require.Equal(t, delivery.Of(third).Position.Major+1, floor().Major)
	})
}

func TestLag(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		topic := unique(t)
		t.Cleanup(func() { drop(t, address, topic) })
		config := quick(address)
		config.InFlight, config.Fetch = 3, 2
		broker := join(t, dial(t, config), "g")
		lag := func() pubsub.Lag {
			lag, err := broker.Lag.Lag(t.Context(), topic)
			require.NoError(t, err)
			return lag
		}
		require.Zero(t, lag(), "a topic that does not exist")
		messages, err := broker.Subscriber.Subscribe(t.Context(), topic)
		require.NoError(t, err)
		require.NoError(t, broker.Publisher.Publish(topic, numbered(0, 5)...))
		until(t, 5*time.Second, func() bool { return lag() == pubsub.Lag{Waiting: 2, Pending: 3} }, func() string { return "the window does not fill" })
		for range 5 {
			receive(t, messages).Ack()
		}
		until(t, 5*time.Second, func() bool { return lag() == pubsub.Lag{} }, func() string { return "the acks are not told" })
	})
}
