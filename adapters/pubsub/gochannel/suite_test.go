package gochannel

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	stock "github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
)

// features are what Watermill's suite may expect. GuaranteedOrder means there that nothing is delivered before the last message
// is acked, which would leave batches empty. A new group does not get what all others
// have acked: that is gone. There is no server to restart.
var features = tests.Features{
	ConsumerGroups: true,
	Persistent:     true,
}

// TestWatermillSuite runs the tests that Watermill has for every backend. All instances are of one process, so they see one backend. Those of
// one test are one group, whose messages they share.
func TestWatermillSuite(t *testing.T) {
	config := quick()
	config.Buffer = 1000000 // the suite publishes up to 10,000 messages before it reads
	backend, _ := opened(t, config)
	construct := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		broker, err := backend.Broker(pubsub.Options{Group: group, CloseTimeout: 100 * time.Millisecond})
		require.NoError(t, err)
		t.Cleanup(func() { _ = broker.Subscriber.Close() })
		return broker.Publisher, broker.Subscriber
	}
	t.Run("suite", func(t *testing.T) {
		tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) {
			return construct(t, t.Name())
		}, construct)
	})
}

// What the stock broker does with messages, and ours does not: the reasons why there is an own one. If this fails, they have gone.
func TestTheStockBrokerCannotBeUsed(t *testing.T) {
	t.Run("it hands out everything at once, out of order", func(t *testing.T) {
		broker := stock.NewGoChannel(stock.Config{}, nil)
		defer func() { require.NoError(t, broker.Close()) }()
		messages, err := broker.Subscribe(t.Context(), "topic")
		require.NoError(t, err)
		const n = 5000
		for _, msg := range numbered(t.Context(), 0, n) {
			require.NoError(t, broker.Publish("topic", msg), "nothing holds the publisher back")
		}
		var got []string
		for range n {
			got = append(got, string(receive(t, messages).Payload)) // none is acked
		}
		require.ElementsMatch(t, numbers(0, n), got, "all are in flight")
		require.NotEqual(t, numbers(0, n), got)
	})
	t.Run("a nacked message comes again at once, for ever", func(t *testing.T) {
		broker := stock.NewGoChannel(stock.Config{}, nil)
		defer func() { require.NoError(t, broker.Close()) }()
		messages, err := broker.Subscribe(t.Context(), "topic")
		require.NoError(t, err)
		require.NoError(t, broker.Publish("topic", numbered(t.Context(), 0, 1)...))
		began := time.Now()
		for range 5000 {
			receive(t, messages).Nack()
		}
		require.Less(t, time.Since(began), 5*time.Second)
	})
	t.Run("what nobody reads yet is gone, without an error", func(t *testing.T) {
		broker := stock.NewGoChannel(stock.Config{}, nil)
		require.NoError(t, broker.Publish("topic", numbered(t.Context(), 0, 1)...))
		messages, err := broker.Subscribe(t.Context(), "topic")
		require.NoError(t, err)
		require.NoError(t, broker.Publish("topic", numbered(t.Context(), 1, 1)...))
		require.Equal(t, "1", string(receive(t, messages).Payload))
		require.NoError(t, broker.Close())
	})
	t.Run("or else it is kept for ever, acked or not", func(t *testing.T) {
		broker := stock.NewGoChannel(stock.Config{Persistent: true}, nil)
		defer func() { require.NoError(t, broker.Close()) }()
		require.NoError(t, broker.Publish("topic", numbered(t.Context(), 0, 100)...))
		for range 2 {
			messages, err := broker.Subscribe(t.Context(), "topic")
			require.NoError(t, err)
			require.ElementsMatch(t, numbers(0, 100), payloads(t, messages, 100))
		}
	})
	t.Run("a close does not wait for handlers", func(t *testing.T) {
		broker := stock.NewGoChannel(stock.Config{}, nil)
		messages, err := broker.Subscribe(t.Context(), "topic")
		require.NoError(t, err)
		require.NoError(t, broker.Publish("topic", numbered(t.Context(), 0, 1)...))
		msg := receive(t, messages)
		require.NoError(t, broker.Close())
		until(t, func() bool { return msg.Context().Err() != nil }, "the handler is told to stop")
	})
}
