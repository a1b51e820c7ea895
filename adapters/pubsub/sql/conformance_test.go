package sql

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	stock "github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/pubsubtest"
)

func TestConformance(t *testing.T) {
	uri := server(t)
	pubsubtest.Run(t, pubsubtest.Harness{
		Kind: "sql",
		Connect: func(t testing.TB) pubsub.Backend {
			b, err := Connect(context.Background(), quick(uri), nil)
			require.NoError(t, err)
			return b
		},
		Link: func(t testing.TB) (pubsub.Backend, func(), func()) {
			through, cut, mend := proxied(t, uri)
			b, err := Connect(context.Background(), quick(through), nil)
			require.NoError(t, err)
			return b, cut, mend
		},
		Redelivered: 4 * time.Second,
		Malformed: func(t testing.TB, topic string) {
			require.NoError(t, execute(uri.String(), "INSERT INTO "+messagesTable(topic)+
				` (uuid, payload, metadata, transaction_id) VALUES ('u', 'some payload', '["no object"]', pg_current_xact_id())`))
		},
		Stock: func(t testing.TB, group string) (message.Publisher, message.Subscriber) {
			return stockAdapter(t, uri.String(), group, "BYTEA")
		},
	})
}

// stockAdapter returns the stock publisher and subscriber with the default schema, whose payloads are of a type.
func stockAdapter(t testing.TB, uri, group, payload string) (message.Publisher, message.Subscriber) {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), uri)
	require.NoError(t, err)
	schema := stock.DefaultPostgreSQLSchema{GeneratePayloadType: func(string) string { return payload }}
	publisher, err := stock.NewPublisher(stock.BeginnerFromPgx(pool), stock.PublisherConfig{SchemaAdapter: schema, AutoInitializeSchema: true}, watermill.NopLogger{})
	require.NoError(t, err)
	subscriber, err := stock.NewSubscriber(stock.BeginnerFromPgx(pool), stock.SubscriberConfig{
		ConsumerGroup: group, PollInterval: 10 * time.Millisecond, ResendInterval: 10 * time.Millisecond,
		SchemaAdapter: schema, OffsetsAdapter: stock.DefaultPostgreSQLOffsetsAdapter{}, InitializeSchema: true,
	}, watermill.NopLogger{})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, subscriber.Close())
		pool.Close()
	})
	return publisher, subscriber
}
