package sql

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
)

// Only messages are deleted that are old and that every group has finished.
func TestTrim(t *testing.T) {
	t.Parallel()
	cfg := quick(server(t))
	cfg.Retain = time.Hour
	b, topic, ctx := connect(t, cfg), rand.Text(), context.Background()
	require.NoError(t, b.Publisher().Publish(topic, samples(6)...))
	at, err := b.topic(ctx, topic)
	require.NoError(t, err)
	left := func() int { return query[int](t, b, "SELECT count(*) FROM "+messagesTable(topic)) }
	trim := func() int {
		t.Helper()
		require.NoError(t, b.trim(ctx, at))
		return left()
	}
	age := func(n int) {
		_, err := b.pool.Exec(ctx, "UPDATE "+messagesTable(topic)+` SET created_at = created_at - interval '2h' WHERE "offset" <= $1`, n)
		require.NoError(t, err)
	}
	age(4)
	require.Equal(t, 6, trim(), "there is no group that has finished any")
	slow, messages := b.open(t, "slow", topic)
	held := receiveAll(t, messages, 6)
	fast, messages := b.open(t, "fast", topic)
	for _, msg := range receiveAll(t, messages, 6) {
		msg.Ack()
	}
	require.NoError(t, fast.Subscriber.Close())
	for i, msg := range held {
		if i != 2 {
			msg.Ack()
		}
	}
	until(t, 5*time.Second, func() bool { return trim() == 4 })
	held[2].Ack()
	require.NoError(t, slow.Subscriber.Close())
	require.Equal(t, 2, trim(), "two are not old enough")
	b.cfg.Retain = 0
	age(6)
	require.Equal(t, 2, trim(), "0 never deletes")
}

// Many are deleted in many small transactions.
func TestTrimMany(t *testing.T) {
	t.Parallel()
	cfg := quick(server(t))
	cfg.Retain = time.Hour
	b, topic, ctx := connect(t, cfg), rand.Text(), context.Background()
	at, err := b.topic(ctx, topic)
	require.NoError(t, err)
	const n = 2*trimChunk + 10
	_, err = b.pool.Exec(ctx, "INSERT INTO "+messagesTable(topic)+` (uuid, created_at, transaction_id)
		SELECT i, now() - interval '1d', pg_current_xact_id() FROM generate_series(1, $1::int) i`, n)
	require.NoError(t, err)
	_, err = b.pool.Exec(ctx, "INSERT INTO "+offsetsTable(topic)+" VALUES ('g', $1, pg_current_xact_id())", n)
	require.NoError(t, err)
	require.NoError(t, b.trim(ctx, at))
	require.Zero(t, query[int](t, b, "SELECT count(*) FROM "+messagesTable(topic)))
}

// Beyond what is counted, the lag is estimated by the offsets.
func TestLargeLag(t *testing.T) {
	t.Parallel()
	b, topic, ctx := connect(t, quick(server(t))), rand.Text(), context.Background()
	broker, err := b.Broker(pubsub.Options{Group: "g"})
	require.NoError(t, err)
	lag, err := broker.Lag.Lag(ctx, topic)
	require.NoError(t, err)
	require.Zero(t, lag, "there is no such topic")
	s := newSourceFor(t, b, topic)
	const n = countMost + 5_000
	_, err = b.pool.Exec(ctx, "INSERT INTO "+messagesTable(topic)+` (uuid, transaction_id) SELECT i, pg_current_xact_id() FROM generate_series(1, $1::int) i`, n)
	require.NoError(t, err)
	lag, err = broker.Lag.Lag(ctx, topic)
	require.NoError(t, err)
	require.Equal(t, pubsub.Lag{Waiting: n}, lag)
	b.settled(t, topic)
	_, err = s.claimNew(ctx, 100)
	require.NoError(t, err)
	lag, err = broker.Lag.Lag(ctx, topic)
	require.NoError(t, err)
	require.Equal(t, pubsub.Lag{Waiting: n - 100, Pending: 100}, lag)
	lag, err = broker.Lag.Lag(ctx, "a topic that cannot be")
	require.NoError(t, err)
	require.Zero(t, lag)
	require.NoError(t, s.Close(ctx))
}
