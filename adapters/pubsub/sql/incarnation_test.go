package sql

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
)

func floorsOf(t testing.TB, broker pubsub.Broker, topic string) map[string]delivery.Position {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	floors, err := broker.Floors.Floors(ctx, topic)
	require.NoError(t, err)
	return floors
}

// A topic whose tables are dropped and made anew while it is read, is read on under another source. The floors of the two do not mix.
func TestTablesMadeAnew(t *testing.T) {
	t.Parallel()
	b, topic := connect(t, quick(schema(t))), rand.Text()
	broker, messages := b.open(t, "g", topic)
	require.NoError(t, b.Publisher().Publish(topic, samples(5)...))
	all := receiveAll(t, messages, 5)
	old := delivery.Of(all[0]).Source
	require.Regexp(t, `^(ns:)?`+topic+`#[0-9a-z]{10,}\.[0-9a-z]+$`, old)
	for _, msg := range all[:4] {
		msg.Ack()
	}
	last := delivery.Of(all[4]).Position
	until(t, 5*time.Second, func() bool { return floorsOf(t, broker, topic)[old] == last })

	for _, table := range []string{messagesTable(topic), offsetsTable(topic)} {
		_, err := b.pool.Exec(context.Background(), "DROP TABLE "+table)
		require.NoError(t, err)
	}
	floors := floorsOf(t, broker, topic)
	require.Equal(t, last, floors[old], "what is in hand")
	until(t, 5*time.Second, func() bool { return b.Publisher().Publish(topic, message.NewMessage("new", nil)) == nil })
	msg := receive(t, messages)
	require.Equal(t, "new", msg.UUID)
	at := delivery.Of(msg)
	require.NotEqual(t, old, at.Source)
	require.True(t, last.Less(at.Position))
	floors = floorsOf(t, broker, topic)
	require.Len(t, floors, 2)
	require.Equal(t, last, floors[old])
	require.False(t, at.Position.Less(floors[at.Source]), "it is in hand")
	all[4].Ack()
	msg.Ack()
	until(t, 5*time.Second, func() bool {
		floors := floorsOf(t, broker, topic)
		return len(floors) == 1 && at.Position.Less(floors[at.Source])
	})
}

// A database that is restored into another cluster has other sources, even where its tables have the same oids.
func TestIncarnation(t *testing.T) {
	t.Parallel()
	one, other := incarnation{7710811355572377720, 16384}, incarnation{7710811355572377721, 16384}
	require.Equal(t, "ns:t#1mkzqi2rmcewo.cn4", one.sourceOf("ns", "t"))
	require.NotEqual(t, one.sourceOf("", "t"), other.sourceOf("", "t"))
}

// Where the cluster's identifier cannot be read, topics are read without.
func TestUnidentifiable(t *testing.T) {
	t.Parallel()
	b, topic := connect(t, quick(server(t))), rand.Text()
	require.True(t, b.identifiable, "any role may read it, unless somebody has forbidden it")
	b.identifiable = false
	broker, messages := b.open(t, "g", topic)
	require.NoError(t, b.Publisher().Publish(topic, samples(1)...))
	msg := receive(t, messages)
	source := delivery.Of(msg).Source
	require.Regexp(t, `^(ns:)?`+topic+`#0\.[0-9a-z]+$`, source)
	msg.Ack()
	until(t, 5*time.Second, func() bool { return delivery.Of(msg).Position.Less(floorsOf(t, broker, topic)[source]) })
}
