package nats

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	stock "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/pubsubtest"
)

// onBoth runs a test on the real server and on an embedded one, which is newer.
func onBoth(t *testing.T, test func(t *testing.T, address string)) {
	t.Run("embedded", func(t *testing.T) { t.Parallel(); test(t, embedded(t).ClientURL()) })
	t.Run("shared", func(t *testing.T) { t.Parallel(); test(t, shared(t)) })
}

func TestConformance(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		pubsubtest.Run(t, pubsubtest.Harness{
			Kind:    "nats",
			Connect: func(t testing.TB) pubsub.Backend { return dial(t, quick(address)) },
			Link: func(t testing.TB) (pubsub.Backend, func(), func()) {
				through, cut, mend := link(t, address)
				return dial(t, quick(through)), cut, mend
			},
			Redelivered: 4 * time.Second,
			Malformed: func(t testing.TB, topic string) {
				backend := dial(t, quick(address))
				_, _, err := backend.stream(t.Context(), topic)
				require.NoError(t, err)
				msg := natsgo.NewMsg(topic)
				msg.Header.Set(exactHeader, "{")
				msg.Data = []byte("raw")
				_, err = backend.js.PublishMsg(t.Context(), msg)
				require.NoError(t, err)
			},
			Stock: func(t testing.TB, group string) (message.Publisher, message.Subscriber) {
				return stockAdapter(t, address, group)
			},
			Forget: func(t testing.TB, topic string, _ ...string) { drop(t, address, topic) },
		})
	})
}

// stockAdapter is watermill-nats with JetStream, as its documentation recommends it for production, with a durable consumer.
func stockAdapter(t testing.TB, address, group string) (message.Publisher, message.Subscriber) {
	t.Helper()
	js := stock.JetStreamConfig{
		AutoProvision: true, DurablePrefix: group, SubscribeOptions: []natsgo.SubOpt{natsgo.DeliverAll(), natsgo.AckExplicit()},
	}
	publisher, err := stock.NewPublisher(stock.PublisherConfig{URL: address, JetStream: js}, watermill.NopLogger{})
	require.NoError(t, err)
	subscriber, err := stock.NewSubscriber(stock.SubscriberConfig{
		URL: address, QueueGroupPrefix: group, CloseTimeout: 5 * time.Second, AckWaitTimeout: 5 * time.Second, JetStream: js,
	}, watermill.NopLogger{})
	require.NoError(t, err)
	return publisher, subscriber
}

// TestWatermillSuite runs the tests that Watermill has for every backend.
func TestWatermillSuite(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		construct := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
			config := quick(address)
			config.MaxDeliveries = 100
			config.Nack.Delay = 10 * time.Millisecond
			config.Stream.Storage = Memory
			backend := dial(t, config)
			broker := join(t, backend, group, func(o *pubsub.Options) { o.CloseTimeout = 300 * time.Millisecond })
			return broker.Publisher, broker.Subscriber
		}
		features := tests.Features{
			ConsumerGroups: true, Persistent: true,
			GenerateTopicFunc: func(testContext tests.TestContext) string {
				topic := "leat_suite_" + string(testContext.TestID)
				t.Cleanup(func() { drop(t, address, topic) })
				return topic
			},
		}
		// One group for all, so that subscribers share, and go on where others stopped.
		tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) { return construct(t, "suite") }, construct)
		// A new subscriber gets old messages if its group is new.
		features.NewSubscriberReceivesOldMessages = true
		t.Run("old messages", func(t *testing.T) {
			tests.TestNewSubscriberReceivesOldMessages(t, tests.TestContext{TestID: tests.NewTestID(), Features: features},
				func(t *testing.T) (message.Publisher, message.Subscriber) { return construct(t, unique(t)) })
		})
	})
}
