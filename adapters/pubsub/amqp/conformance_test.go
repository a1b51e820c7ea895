package amqp

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/pubsubtest"
)

// TestConformance runs what leat needs of every broker.
func TestConformance(t *testing.T) { conform(t, quorum) }

// TestConformanceClassic runs it over queues that do not count deliveries.
func TestConformanceClassic(t *testing.T) { conform(t, classic) }

func conform(t *testing.T, queueType string) {
	needServer(t)
	config := quick(serverAddr)
	config.Queue.Type = queueType
	pubsubtest.Run(t, pubsubtest.Harness{
		Kind:    "amqp",
		Connect: func(t testing.TB) pubsub.Backend { return connect(t, config) },
		Link: func(t testing.TB) (pubsub.Backend, func(), func()) {
			proxy, cut, mend := startProxy(t)
			cuttable := config
			cuttable.URI = uri(proxy.Listen)
			return connect(t, cuttable), cut, mend
		},
		Redelivered: time.Second,
		Stock: func(t testing.TB, group string) (message.Publisher, message.Subscriber) {
			return newStock(t, stockConfig(group, queueType))
		},
		Hold:   config.MaxHold,
		Forget: forget,
	})
}
