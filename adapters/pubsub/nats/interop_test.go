package nats

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	stockjs "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/jetstream"
	"github.com/ThreeDotsLabs/watermill/message"
	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
)

// The second stock package, pkg/jetstream, reads and writes the same. The conformance suite does this with the first, pkg/nats.
func TestInteropWithStockJetStream(t *testing.T) {
	address := embedded(t).ClientURL()
	backend := dial(t, quick(address))
	sent := message.NewMessage(watermill.NewUUID(), []byte("payload"))
	sent.Metadata = message.Metadata{"trace": "t1", "text": "ü 値"}
	require.NoError(t, backend.Publisher().Publish("events", sent))

	conn, err := natsgo.Connect(address)
	require.NoError(t, err)
	closed := make(chan struct{})
	conn.SetClosedHandler(func(*natsgo.Conn) { close(closed) })
	subscriber, err := stockjs.NewSubscriber(stockjs.SubscriberConfig{
		Conn: conn, Logger: watermill.NopLogger{}, ResourceInitializer: stockjs.EphemeralConsumer(),
	})
	require.NoError(t, err)
	theirs, err := subscriber.Subscribe(t.Context(), "events")
	require.NoError(t, err)
	got := receive(t, theirs)
	require.Equal(t, sent.UUID, got.UUID)
	require.Equal(t, sent.Metadata, got.Metadata)
	require.Equal(t, sent.Payload, got.Payload)
	got.Ack()
	require.NoError(t, subscriber.Close())
	<-closed

	publisher, err := stockjs.NewPublisher(stockjs.PublisherConfig{URL: address, Logger: watermill.NopLogger{}})
	require.NoError(t, err)
	defer func() { _ = publisher.Close() }()
	sent.UUID = watermill.NewUUID()
	require.NoError(t, publisher.Publish("events", sent))
	ours, err := join(t, backend, "g").Subscriber.Subscribe(t.Context(), "events")
	require.NoError(t, err)
	receive(t, ours).Ack()
	got = receive(t, ours)
	got.Ack()
	require.Equal(t, sent.UUID, got.UUID)
	require.Equal(t, "t1", got.Metadata["trace"])
	require.Equal(t, "ü 値", got.Metadata["text"])
	require.Regexp(t, `^ns:events#[0-9a-z]+$`, got.Metadata[delivery.KeySource])
}

// A producer that knows nothing of Watermill is read, with its headers.
func TestForeignProducer(t *testing.T) {
	backend := dial(t, quick(embedded(t).ClientURL()))
	messages, err := join(t, backend, "g").Subscriber.Subscribe(t.Context(), "events")
	require.NoError(t, err)
	foreign := natsgo.NewMsg("events")
	foreign.Data = []byte(`{"userId":"u1"}`)
	foreign.Header.Set("Nats-Msg-Id", "1")
	foreign.Header.Add("trace", "a")
	foreign.Header.Add("trace", "b")
	_, err = backend.js.PublishMsg(t.Context(), foreign)
	require.NoError(t, err)
	got := receive(t, messages)
	require.Empty(t, got.UUID)
	require.Equal(t, `{"userId":"u1"}`, string(got.Payload))
	require.Equal(t, "a, b", got.Metadata["trace"])
	require.NotContains(t, got.Metadata, "Nats-Msg-Id")
	require.NotEmpty(t, got.Metadata[delivery.KeyPublishedAt])
	got.Ack()
	_, err = backend.js.Publish(t.Context(), "events", nil)
	require.NoError(t, err)
	empty := receive(t, messages)
	require.Empty(t, empty.Payload)
	require.Empty(t, empty.Metadata[delivery.KeyMalformed])
	empty.Ack()
}
