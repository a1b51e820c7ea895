package nats

import (
	"context"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// A message that is published again, as out of a DLQ, is not swallowed by the server's window for duplicates.
func TestRedriveIsNotSwallowed(t *testing.T) {
	backend := dial(t, quick(embedded(t).ClientURL()))
	broker := join(t, backend, "g")
	messages, err := broker.Subscriber.Subscribe(t.Context(), "events")
	require.NoError(t, err)
	msg := numbered(0, 1)[0]
	require.NoError(t, broker.Publisher.Publish("events", msg))
	first := receive(t, messages)
	first.Ack()
	require.NoError(t, broker.Publisher.Publish("events", first.Copy()))
	again := receive(t, messages)
	again.Ack()
	require.Equal(t, msg.UUID, again.UUID)
	require.True(t, delivery.Of(first).Position.Less(delivery.Of(again).Position))
}

// Metadata never becomes a command to the server.
func TestMetadataIsNoCommand(t *testing.T) {
	backend := dial(t, quick(embedded(t).ClientURL()))
	broker := join(t, backend, "g")
	require.NoError(t, broker.Publisher.Publish("events", numbered(0, 2)...))
	msg := numbered(2, 1)[0]
	msg.Metadata = message.Metadata{"Nats-Rollup": "all", "Nats-Expected-Last-Sequence": "7", "stack": "a\nb"}
	require.NoError(t, broker.Publisher.Publish("events", msg))
	messages, err := broker.Subscriber.Subscribe(t.Context(), "events")
	require.NoError(t, err)
	for range 2 {
		receive(t, messages).Ack()
	}
	last := receive(t, messages)
	last.Ack()
	for name, value := range msg.Metadata {
		require.Equal(t, value, last.Metadata[name])
	}
}

// A publisher finds out that its stream was deleted, and makes it again.
func TestPublishAfterDelete(t *testing.T) {
	backend := dial(t, quick(embedded(t).ClientURL()))
	publisher := backend.Publisher()
	require.NoError(t, publisher.Publish("events", numbered(0, 1)...))
	require.NoError(t, backend.js.DeleteStream(t.Context(), "events"))
	require.NoError(t, publisher.Publish("events", numbered(1, 3)...))
	stream, err := backend.js.Stream(t.Context(), "events")
	require.NoError(t, err)
	require.EqualValues(t, 3, stream.CachedInfo().State.Msgs)
}

func TestPublishRefuses(t *testing.T) {
	backend := dial(t, quick(embedded(t).ClientURL()))
	publisher := backend.Publisher()
	require.NoError(t, publisher.Publish("events"))
	err := publisher.Publish("a b", numbered(0, 1)...)
	requireRefused(t, err, "topic", "white space")
	large := message.NewMessage("u", []byte(strings.Repeat("x", int(backend.Capabilities().MaxMessage))))
	err = publisher.Publish("events", numbered(0, 1)[0], large)
	requireRefused(t, err, "too_large", "max_payload")
	hasStream, err := backend.existing(t.Context(), "events")
	require.NoError(t, err)
	require.Nil(t, hasStream, "nothing is published of a call with a message that will never fit")
	err = publisher.PublishFields(t.Context(), "events", []pubsub.Field{})
	require.Equal(t, fault.Invalid, fault.KindOf(err))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = publisher.PublishFields(ctx, "events", []pubsub.Field{{Name: "a", Value: "b"}})
	require.Equal(t, fault.Canceled, fault.KindOf(err), "%v", err)
	require.NoError(t, publisher.Close())
	err = publisher.Publish("events", numbered(0, 1)...)
	require.Equal(t, fault.Canceled, fault.KindOf(err), "%v", err)
}
