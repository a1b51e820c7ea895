package e2e

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	rabbit "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	natsURL   = "nats://127.0.0.1:4222"
	rabbitURI = "amqp://guest:guest@127.0.0.1:5672/"
)

// answers requires a server at the address.
func answers(t testing.TB, what, addr string) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		missing(t, what+" does not answer at "+addr)
	}
	require.NoError(t, conn.Close())
}

func openRedisStream(testing.TB, string) backend {
	return backend{example: "redisstream.yaml", letters: func(w *world, topic string) [][]byte {
		entries, err := w.redis.XRange(w.t.Context(), topic, "-", "+").Result()
		require.NoError(w.t, err)
		var payloads [][]byte
		for _, e := range entries {
			payload, _ := e.Values["payload"].(string)
			payloads = append(payloads, []byte(payload))
		}
		return payloads
	}}
}

func openGoChannel(testing.TB, string) backend {
	return backend{example: "gochannel.yaml", alone: true}
}

func openNATS(t testing.TB, topic string) backend {
	answers(t, "NATS", "127.0.0.1:4222")
	conn, err := natsgo.Connect(natsURL)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, each := range []string{topic, topic + ".dlq", topic + "_scores"} {
			if stream, err := js.StreamNameBySubject(ctx, each); err == nil {
				_ = js.DeleteStream(ctx, stream)
			}
		}
	})
	return backend{example: "nats.yaml", env: []string{"LEAT_BROKER_NATS_URLS=" + natsURL}, letters: func(w *world, topic string) [][]byte {
		name, err := js.StreamNameBySubject(w.t.Context(), topic)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		require.NoError(w.t, err)
		stream, err := js.Stream(w.t.Context(), name)
		require.NoError(w.t, err)
		var payloads [][]byte
		for n := stream.CachedInfo().State.FirstSeq; n > 0 && n <= stream.CachedInfo().State.LastSeq; n++ {
			letter, err := stream.GetMsg(w.t.Context(), n)
			require.NoError(w.t, err)
			payloads = append(payloads, letter.Data)
		}
		return payloads
	}}
}

func openKafka(t testing.TB, _ string) backend {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(6))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return kafkaAt(cluster.ListenAddrs()[0])
}

func kafkaAt(addr string) backend {
	return backend{example: "kafka.yaml", env: []string{"LEAT_BROKER_KAFKA_BROKERS=" + addr, "LEAT_BROKER_KAFKA_SESSION_TIMEOUT=6s"},
		letters: func(w *world, topic string) [][]byte {
			client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			require.NoError(w.t, err)
			defer client.Close()
			var payloads [][]byte
			for {
				ctx, cancel := context.WithTimeout(w.t.Context(), time.Second) // a topic has no end to wait for
				fetched := client.PollFetches(ctx)
				cancel()
				if fetched.NumRecords() == 0 {
					return payloads
				}
				fetched.EachRecord(func(r *kgo.Record) { payloads = append(payloads, r.Value) })
			}
		}}
}

func openAMQP(t testing.TB, topic string) backend {
	answers(t, "RabbitMQ", "127.0.0.1:5672")
	conn, err := rabbit.Dial(rabbitURI)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	t.Cleanup(func() {
		channel, err := conn.Channel()
		require.NoError(t, err)
		for _, each := range []string{topic, topic + ".dlq", topic + "_scores"} {
			for _, queue := range []string{each, each + "_" + group} {
				_, _ = channel.QueueDelete(queue, false, false, false)
			}
			_ = channel.ExchangeDelete(each, false, false)
		}
	})
	return backend{example: "amqp.yaml", env: []string{"LEAT_BROKER_AMQP_URI=" + rabbitURI}, letters: func(w *world, topic string) [][]byte {
		channel, err := conn.Channel()
		require.NoError(w.t, err)
		defer func() { _ = channel.Close() }() // which puts them back
		var payloads [][]byte
		for {
			letter, ok, err := channel.Get(topic, false)
			if refused := (*rabbit.Error)(nil); errors.As(err, &refused) && refused.Code == rabbit.NotFound {
				return nil
			}
			require.NoError(w.t, err)
			if !ok {
				return payloads
			}
			payloads = append(payloads, letter.Body)
		}
	}}
}

func openSQLBroker(t testing.TB, _ string) backend {
	db := openPostgres(t)
	postgres, _ := db.(*sqlStore)
	return backend{example: "sql.yaml", db: db, letters: func(w *world, topic string) [][]byte {
		rows, err := postgres.db.QueryContext(w.t.Context(), `SELECT payload FROM "watermill_`+topic+`"`)
		if err != nil {
			return nil // no letter, no table
		}
		defer func() { _ = rows.Close() }()
		var payloads [][]byte
		for rows.Next() {
			var payload []byte
			require.NoError(w.t, rows.Scan(&payload))
			payloads = append(payloads, payload)
		}
		require.NoError(w.t, rows.Err())
		return payloads
	}}
}
