package sql

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// A group may change hands between the stock subscriber and ours, and back: each goes on where the other ended.
func TestGroupChangesHands(t *testing.T) {
	t.Parallel()
	uri, topic := server(t).String(), rand.Text()
	b := connect(t, quick(server(t)))
	all := samples(40)
	require.NoError(t, b.Publisher().Publish(topic, all...))
	next := 0
	expect := func(messages <-chan *message.Message, n int) {
		t.Helper()
		for range n {
			msg := receive(t, messages)
			require.Equal(t, all[next].UUID, msg.UUID, "message %d", next)
			msg.Ack()
			next++
		}
	}
	stockReads := func(n int) {
		t.Helper()
		_, subscriber := stockAdapter(t, uri, "g", "BYTEA")
		messages, err := subscriber.Subscribe(context.Background(), topic)
		require.NoError(t, err)
		expect(messages, n)
		receive(t, messages) // the last one is acked when the next has come
		require.NoError(t, subscriber.Close())
	}
	weRead := func(n int) {
		t.Helper()
		broker, messages := b.open(t, "g", topic)
		expect(messages, n)
		require.NoError(t, broker.Subscriber.Close())
	}
	stockReads(10)
	weRead(10)
	stockReads(5)
	weRead(5)
	stockReads(5)
	weRead(5)
	require.Equal(t, 40, next)
	broker, messages := b.open(t, "g", topic)
	none(t, 300*time.Millisecond, messages)
	lag, err := broker.Lag.Lag(context.Background(), topic)
	require.NoError(t, err)
	require.Zero(t, lag)
}

// While we read, the stock offset follows the ack floor: a stock subscriber that takes over after a crash misses nothing.
func TestStockOffsetFollowsTheFloor(t *testing.T) {
	t.Parallel()
	b, topic := connect(t, quick(server(t))), rand.Text()
	all := samples(3)
	broker, messages := b.open(t, "g", topic)
	require.NoError(t, b.Publisher().Publish(topic, all...))
	held := receiveAll(t, messages, 3)
	held[0].Ack()
	held[2].Ack()
	stock := func() delivery.Position {
		var p delivery.Position
		require.NoError(t, b.pool.QueryRow(context.Background(), "SELECT last_processed_transaction_id, offset_acked FROM "+offsetsTable(topic)).Scan(&p.Major, &p.Minor))
		return p
	}
	second := delivery.Of(held[1]).Position
	before := delivery.Position{Major: second.Major, Minor: second.Minor - 1}
	until(t, 5*time.Second, func() bool { return stock() == before })
	floors, err := broker.Floors.Floors(context.Background(), topic)
	require.NoError(t, err)
	require.Len(t, floors, 1)
	require.Equal(t, []delivery.Position{second}, slices.Collect(maps.Values(floors)))
	held[1].Ack()
	last := delivery.Of(held[2]).Position
	until(t, 5*time.Second, func() bool { return stock() == last })
	floors, err = broker.Floors.Floors(context.Background(), topic)
	require.NoError(t, err)
	require.Equal(t, []delivery.Position{last.Next()}, slices.Collect(maps.Values(floors)))
}

// Tables that the stock adapter made keep payloads as JSON, as JSONB where it was told so; what is none is refused, and harms nobody.
func TestTablesOfOthers(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{"JSON", "JSONB", "TEXT"} {
		t.Run(payload, func(t *testing.T) {
			topic, group := rand.Text(), "g"
			publisher, _ := stockAdapter(t, server(t).String(), group, payload)
			b := connect(t, quick(server(t)))
			theirs := message.NewMessage("theirs", []byte(`{"a": "ü"}`))
			theirs.Metadata["k"] = "v"
			require.NoError(t, publisher.Publish(topic, theirs))
			require.NoError(t, b.Publisher().Publish(topic, message.NewMessage("ours", []byte(`{"a": "ü"}`))))
			err := b.Publisher().Publish(topic, message.NewMessage("fine", []byte("{}")), message.NewMessage("poison", []byte("\xff no JSON")))
			require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
			require.ErrorContains(t, err, "ALTER the column to BYTEA")

			messages := b.subscribe(t, group, topic)
			for _, uuid := range []string{"theirs", "ours"} {
				msg := receive(t, messages)
				require.Equal(t, uuid, msg.UUID)
				require.JSONEq(t, `{"a":"ü"}`, string(msg.Payload))
				msg.Ack()
			}
			none(t, 200*time.Millisecond, messages)
		})
	}
}

// A column that was changed to BYTEA meanwhile takes everything.
func TestColumnChanges(t *testing.T) {
	t.Parallel()
	topic := rand.Text()
	publisher, _ := stockAdapter(t, server(t).String(), "g", "JSON")
	require.NoError(t, publisher.Publish(topic, message.NewMessage("1", []byte("{}"))))
	b := connect(t, quick(server(t)))
	messages := b.subscribe(t, "g", topic)
	receive(t, messages).Ack()
	require.Error(t, b.Publisher().Publish(topic, message.NewMessage("2", []byte("no JSON"))))
	require.NoError(t, execute(server(t).String(), "ALTER TABLE "+messagesTable(topic)+" ALTER payload TYPE BYTEA USING convert_to(payload::text, 'UTF8')"))
	require.NoError(t, b.Publisher().Publish(topic, message.NewMessage("3", []byte("no JSON"))))
	msg := receive(t, messages)
	require.Equal(t, "no JSON", string(msg.Payload))
	msg.Ack()
}

func TestTableOfAnotherSchema(t *testing.T) {
	t.Parallel()
	topic := rand.Text()
	require.NoError(t, execute(server(t).String(), "CREATE TABLE "+messagesTable(topic)+` ("offset" BIGSERIAL, uuid TEXT, payload JSON, metadata JSON, acked BOOLEAN)`))
	b := connect(t, quick(server(t)))
	err := b.Publisher().Publish(topic, samples(1)...)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.ErrorContains(t, err, "DefaultPostgreSQLSchema")
}

// What a producer by hand leaves out, or writes oddly, stops nobody.
func TestHandmadeRows(t *testing.T) {
	t.Parallel()
	b, topic := connect(t, quick(server(t))), rand.Text()
	messages := b.subscribe(t, "g", topic)
	require.NoError(t, execute(server(t).String(),
		"INSERT INTO "+messagesTable(topic)+" (uuid, transaction_id) VALUES ('', pg_current_xact_id())",
		"INSERT INTO "+messagesTable(topic)+` (uuid, payload, created_at, metadata, transaction_id) VALUES ('a', '{"userId":"u"}', 'infinity', 'null', pg_current_xact_id())`,
		"INSERT INTO "+messagesTable(topic)+` (uuid, payload, metadata, transaction_id) VALUES ('b', 'x', '{"n":1}', pg_current_xact_id())`))
	first, second, third := receive(t, messages), receive(t, messages), receive(t, messages)
	require.Empty(t, first.UUID)
	require.Empty(t, first.Payload)
	require.Equal(t, `{"userId":"u"}`, string(second.Payload))
	require.Empty(t, second.Metadata[delivery.KeyPublishedAt])
	require.Equal(t, "x", string(third.Payload))
	require.Equal(t, `{"n":1}`, third.Metadata[rawMetadata])
	require.Contains(t, third.Metadata[delivery.KeyMalformed], "not an object of strings")
	for _, msg := range []*message.Message{first, second, third} {
		msg.Ack()
	}
}
