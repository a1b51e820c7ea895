package sql

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/delivery"
)

// A transaction that commits late holds later ones back, so that its messages are not skipped.
func TestNothingIsSkipped(t *testing.T) {
	uri := server(t)
	b, topic := connect(t, quick(uri)), rand.Text()
	messages := b.subscribe(t, "g", topic)
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, uri.String())
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	tx, err := conn.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "INSERT INTO "+messagesTable(topic)+" (uuid, payload, metadata, transaction_id) VALUES ('early', '', '{}', pg_current_xact_id())")
	require.NoError(t, err)
	late := message.NewMessage("late", nil)
	require.NoError(t, b.Publisher().Publish(topic, late))
	none(t, 300*time.Millisecond, messages)
	require.NoError(t, tx.Commit(ctx))
	for _, uuid := range []string{"early", "late"} {
		msg := receive(t, messages)
		require.Equal(t, uuid, msg.UUID)
		msg.Ack()
	}
}

// Many that start at once make the tables together.
func TestTablesAreMadeOnce(t *testing.T) {
	t.Parallel()
	uri := schema(t)
	var starting sync.WaitGroup
	for range 4 {
		b := connect(t, quick(uri))
		starting.Go(func() { b.subscribe(t, "g", "t") })
		starting.Go(func() {
			if err := b.Publisher().Publish("t", samples(1)...); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
}

// A consumer that was not heard of for too long loses what others took meanwhile, takes back what they did not, and goes on.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()
	uri, topic := server(t), rand.Text()
	cfg := quick(uri)
	cfg.Lease = time.Hour // nobody renews but the test
	b := connect(t, cfg)
	var lost int
	var mu sync.Mutex
	reading := &gate{}
	messages, s := b.openSource(t, topic, pubsub.Options{Group: "g", CloseTimeout: time.Second, Gate: reading, Observe: func(_ string, event pubsub.Event, n int) {
		mu.Lock()
		defer mu.Unlock()
		if event == pubsub.EventLost {
			lost += n
		}
	}}, func(s *source) inflight.Source[entry] { return s })
	require.NoError(t, b.Publisher().Publish(topic, samples(10)...))
	held := receiveAll(t, messages, 10)
	reading.closed.Store(true)
	until(t, 5*time.Second, reading.waiting.Load)
	ctx := context.Background()
	at := s.place()
	_, err := b.pool.Exec(ctx, "UPDATE leat_consumers SET leased_until = now() - interval '1s' WHERE id = $1", at.consumer)
	require.NoError(t, err)

	freed, err := b.bury(ctx, at.group)
	require.NoError(t, err)
	require.EqualValues(t, 10, freed)
	require.Zero(t, query[int](t, b, "SELECT count(*) FROM leat_consumers WHERE id = $1", at.consumer))
	other := newSourceFor(t, b, topic)
	taken, err := other.claimFreed(ctx, 4)
	require.NoError(t, err)
	require.Len(t, taken, 4)
	require.Equal(t, 2, taken[0].Deliveries, "the delivery to the one that fell silent counts")

	require.NoError(t, s.renew(ctx))
	require.Equal(t, 6, query[int](t, b, "SELECT count(*) FROM leat_claims WHERE group_id = $1 AND consumer = $2", at.group, at.consumer))
	mu.Lock()
	require.Equal(t, 4, lost)
	mu.Unlock()
	for _, msg := range held {
		msg.Ack()
	}
	until(t, 5*time.Second, func() bool {
		return query[int](t, b, "SELECT count(*) FROM leat_claims WHERE group_id = $1", at.group) == 0
	})
	freed, err = b.bury(ctx, at.group)
	require.NoError(t, err)
	require.Zero(t, freed)
	require.NoError(t, other.Close(ctx))
}

// What was claimed for a consumer in a reply that got lost is delivered once it is found out, and was not counted.
func TestLostReply(t *testing.T) {
	t.Parallel()
	b, topic := connect(t, quick(server(t))), rand.Text()
	require.NoError(t, b.Publisher().Publish(topic, samples(5)...))
	s, ctx := newSourceFor(t, b, topic), context.Background()
	b.settled(t, topic)
	items, err := s.claimNew(ctx, 5)
	require.NoError(t, err)
	require.Len(t, items, 5)
	s.unknown, s.idle = true, false // as if the reply had not come
	how, again, err := s.read(ctx, 5)
	require.NoError(t, err)
	require.Equal(t, pubsub.EventClaimed, how)
	require.Len(t, again, 5)
	require.Equal(t, 1, again[0].Deliveries)
	require.Equal(t, items[0].ID, again[0].ID)

	require.NoError(t, s.Return(ctx, again[:2]))
	require.Equal(t, []int32{0, 0, 1, 1, 1}, query[[]int32](t, b, "SELECT array_agg(deliveries ORDER BY xid, \"offset\") FROM leat_claims WHERE group_id = $1", s.place().group))
	require.NoError(t, s.Ack(ctx, again[2:]))
	require.NoError(t, s.Ack(ctx, again[2:]), "an ack may be repeated")
	require.NoError(t, s.Close(ctx))
	require.Equal(t, 2, query[int](t, b, "SELECT count(*) FROM leat_claims WHERE group_id = $1 AND consumer = 0", s.place().group))
	require.Zero(t, query[int](t, b, "SELECT count(*) FROM leat_consumers WHERE group_id = $1", s.place().group))
}

// One read asks for no more bytes than it may; at least for one message.
func TestLargeMessagesComeFewAtATime(t *testing.T) {
	t.Parallel()
	b, topic := connect(t, quick(server(t))), rand.Text()
	var large []*message.Message
	for range 3 {
		large = append(large, message.NewMessage(rand.Text(), make([]byte, largeReply-1)))
	}
	require.NoError(t, b.Publisher().Publish(topic, large...))
	s, ctx := newSourceFor(t, b, topic), context.Background()
	b.settled(t, topic)
	for _, want := range []int{2, 1, 0} {
		items, err := s.claimNew(ctx, 10)
		require.NoError(t, err)
		require.Len(t, items, want)
		require.NoError(t, s.Return(ctx, items))
	}
	for _, want := range []int{2, 1, 0} {
		items, err := s.claimFreed(ctx, 10)
		require.NoError(t, err)
		require.Len(t, items, want)
	}
	require.NoError(t, s.Close(ctx))
}

// A consumer that claims what it still holds delivers it once.
func TestClaimOfWhatIsHeld(t *testing.T) {
	t.Parallel()
	b, topic := connect(t, quick(server(t))), rand.Text()
	messages, s := b.openSource(t, topic, pubsub.Options{Group: "g", CloseTimeout: time.Second}, func(s *source) inflight.Source[entry] { return s })
	require.NoError(t, b.Publisher().Publish(topic, samples(3)...))
	held := receiveAll(t, messages, 3)
	at := s.place()
	free := func() int {
		return query[int](t, b, "SELECT count(*) FROM leat_claims WHERE group_id = $1 AND consumer = 0", at.group)
	}
	_, err := b.pool.Exec(context.Background(), "UPDATE leat_claims SET consumer = 0 WHERE group_id = $1", at.group)
	require.NoError(t, err)
	until(t, 5*time.Second, func() bool { return free() == 0 })
	none(t, 200*time.Millisecond, messages)
	for _, msg := range held {
		msg.Ack()
	}
	until(t, 5*time.Second, func() bool {
		return query[int](t, b, "SELECT count(*) FROM leat_claims WHERE group_id = $1", at.group) == 0
	})
}

// Messages that were deleted while they were claimed are acked unseen; they hold nothing up.
func TestDeletedMessages(t *testing.T) {
	t.Parallel()
	b, topic := connect(t, quick(server(t))), rand.Text()
	require.NoError(t, b.Publisher().Publish(topic, samples(3)...))
	s, ctx := newSourceFor(t, b, topic), context.Background()
	b.settled(t, topic)
	items, err := s.claimNew(ctx, 3)
	require.NoError(t, err)
	require.NoError(t, s.Return(ctx, items))
	_, err = b.pool.Exec(ctx, "DELETE FROM "+messagesTable(topic)+" WHERE uuid = $1", items[1].Entry.uuid)
	require.NoError(t, err)
	again, err := s.claimFreed(ctx, 3)
	require.NoError(t, err)
	require.Len(t, again, 2)
	require.Equal(t, 2, query[int](t, b, "SELECT count(*) FROM leat_claims WHERE group_id = $1", s.place().group))
	require.NoError(t, s.Close(ctx))
}

// Tables that vanish under a subscription are made again, and what comes then is read.
func TestTablesVanish(t *testing.T) {
	t.Parallel()
	b := connect(t, quick(schema(t)))
	messages := b.subscribe(t, "g", "t")
	publisher := b.Publisher()
	require.NoError(t, publisher.Publish("t", samples(1)...))
	receive(t, messages).Ack()
	for _, statement := range []string{`DROP TABLE "watermill_t"`, "DROP TABLE leat_groups, leat_claims, leat_consumers", "DELETE FROM leat_groups"} {
		_, err := b.pool.Exec(context.Background(), statement)
		require.NoError(t, err)
		msg := message.NewMessage(rand.Text(), nil)
		require.NoError(t, publisher.Publish("t", msg))
		for {
			got := receive(t, messages)
			got.Ack()
			if got.UUID == msg.UUID {
				break
			}
		}
	}
}

// Publishing wakes those who wait, however seldom they poll; so does a NOTIFY of another program.
func TestNotifications(t *testing.T) {
	cfg := quick(server(t))
	cfg.Poll = time.Second
	b, topic := connect(t, cfg), rand.Text()
	messages := b.subscribe(t, "g", topic)
	fastest := time.Hour
	for range 3 {
		none(t, 1500*time.Millisecond, messages) // it is idle now
		require.NoError(t, b.Publisher().Publish(topic, samples(1)...))
		began := time.Now()
		receive(t, messages).Ack()
		fastest = min(fastest, time.Since(began))
	}
	require.Less(t, fastest, 100*time.Millisecond)
}

// Consumers have names of their own, and tell them.
func TestConsumerName(t *testing.T) {
	t.Parallel()
	b, topic := connect(t, quick(server(t))), rand.Text()
	messages := b.subscribe(t, "g", topic)
	require.NoError(t, b.Publisher().Publish(topic, samples(1)...))
	msg := receive(t, messages)
	require.Regexp(t, `^c-\d+$`, msg.Metadata[delivery.KeyConsumer])
	info := delivery.Of(msg)
	require.WithinDuration(t, time.Now(), info.PublishedAt, time.Minute)
	msg.Ack()
}
