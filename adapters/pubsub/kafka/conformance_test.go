package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/pubsubtest"
)

func TestConformance(t *testing.T) {
	brokers := cluster(t)
	pubsubtest.Run(t, pubsubtest.Harness{
		Kind:    "kafka",
		Connect: func(t testing.TB) pubsub.Backend { return dial(t, quick(brokers)) },
		Link: func(t testing.TB) (backend pubsub.Backend, cut, mend func()) {
			link := newProxies(t)
			return dial(t, quick(brokers), kgo.Dialer(link.dial)), link.stop, func() { link.start(t) }
		},
		Redelivered: 2 * session(),
		Stock: func(t testing.TB, group string) (message.Publisher, message.Subscriber) {
			return stockAdapter(t, brokers, group)
		},
		Forget: func(t testing.TB, topic string, groups ...string) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			admin := dial(t, quick(brokers)).admin
			_, err := admin.DeleteTopics(ctx, topic)
			require.NoError(t, err)
			_, err = admin.DeleteGroups(ctx, groups...)
			require.NoError(t, err)
		},
	})
}
