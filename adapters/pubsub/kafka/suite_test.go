package kafka

import (
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"leat/adapters/pubsub"
)

// TestWatermillSuite runs the tests that Watermill has for every backend.
func TestWatermillSuite(t *testing.T) {
	brokers, shared := cluster(t), watermill.NewShortUUID()
	construct := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		backend := dial(t, quick(brokers))
		broker := join(t, backend, group, func(o *pubsub.Options) { o.CloseTimeout = 300 * time.Millisecond })
		return broker.Publisher, broker.Subscriber
	}
	tests.TestPubSub(t, tests.Features{
		ConsumerGroups:                   true,
		Persistent:                       true,
		NewSubscriberReceivesOldMessages: true,
	}, func(t *testing.T) (message.Publisher, message.Subscriber) {
		if strings.Contains(t.Name(), "TestConcurrentSubscribe/") { // fifty subscribers, which share the messages
			return construct(t, shared)
		}
		return construct(t, watermill.NewShortUUID())
	}, construct)
}
