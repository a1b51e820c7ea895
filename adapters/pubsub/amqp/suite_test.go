package amqp

import (
	"context"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
)

// TestWatermillSuite runs the tests that Watermill has for every backend.
func TestWatermillSuite(t *testing.T) {
	needServer(t)
	construct := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		noted := &topics{}
		t.Cleanup(func() {
			for _, topic := range noted.all() {
				forget(t, topic, group)
			}
		})
		config := quick(serverAddr)
		config.MaxDeliveries = 10
		backend := connect(t, config)
		return backend.Publisher(), noting{open(t, backend, group).Subscriber, noted}
	}
	tests.TestPubSub(t, tests.Features{
		ConsumerGroups: true,
		Persistent:     true,
	}, func(t *testing.T) (message.Publisher, message.Subscriber) {
		return construct(t, "test")
	}, construct)
}

// topics are what a test has read, to be removed from the server.
type topics struct {
	mu    sync.Mutex
	names []string
}

func (t *topics) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.names
}

// noting notes what is read.
type noting struct {
	message.Subscriber
	topics *topics
}

func (n noting) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	n.topics.mu.Lock()
	n.topics.names = append(n.topics.names, topic)
	n.topics.mu.Unlock()
	return n.Subscriber.Subscribe(ctx, topic)
}
