package pubsubtest

import (
	"context"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

const noStock = "there is no stock adapter for the same server"

// common are messages that the stock adapters carry, too.
func common() []*message.Message {
	messages := make([]*message.Message, 0, 21)
	for _, msg := range numbered(context.Background(), 0, 20) {
		msg.Metadata = message.Metadata{"trace_id": "t-" + string(msg.Payload), "text": "ü 値"}
		messages = append(messages, msg)
	}
	return append(messages, message.NewMessage(watermill.NewUUID(), []byte{0, 0xff, '\n'}))
}

// stockReads: the stock subscriber reads what our publisher wrote.
func stockReads(t testing.TB, s suite) {
	if s.Stock == nil {
		notApplicable(t, noStock)
	}
	topic, group := s.names(t)
	publisher, subscriber := s.Stock(t, group)
	t.Cleanup(func() { _, _ = subscriber.Close(), publisher.Close() })
	messages, err := subscriber.Subscribe(context.Background(), topic)
	require.NoError(t, err)
	sent := common()
	require.NoError(t, s.open(t, unique("unused")).backend.Publisher().Publish(topic, sent...))
	requireSame(t, s, sent, messages)
}

// stockWrites: we read what the stock publisher wrote.
func stockWrites(t testing.TB, s suite) {
	if s.Stock == nil {
		notApplicable(t, noStock)
	}
	topic, group := s.names(t)
	messages := s.open(t, group).subscribe(topic)
	publisher, subscriber := s.Stock(t, unique("unused"))
	t.Cleanup(func() { _, _ = subscriber.Close(), publisher.Close() })
	sent := common()
	require.NoError(t, publisher.Publish(topic, sent...))
	requireSame(t, s, sent, messages)
}

// requireSame receives what was sent, in any order.
func requireSame(t testing.TB, s suite, sent []*message.Message, messages <-chan *message.Message) {
	t.Helper()
	want := make(map[string]*message.Message)
	for _, msg := range sent {
		want[msg.UUID] = msg
	}
	for range sent {
		got := receive(t, s, messages)
		got.Ack()
		of := want[got.UUID]
		require.NotNil(t, of, "UUID %q, payload %q: sent once, or not at all", got.UUID, got.Payload)
		delete(want, got.UUID)
		require.Equal(t, string(of.Payload), string(got.Payload))
		require.Equal(t, producers(of.Metadata), producers(got.Metadata))
	}
}
