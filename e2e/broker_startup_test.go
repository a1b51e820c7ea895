package e2e

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

// A broker that does not answer is waited for, with a line a second that says so, up to broker.connect_timeout.
func TestRunGivesUpOnABrokerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	for kind, address := range map[string]string{
		"nats":  "LEAT_BROKER_NATS_URLS=nats://leat.invalid:1,nats://127.0.0.1:1",
		"kafka": "LEAT_BROKER_KAFKA_BROKERS=127.0.0.1:1",
		"amqp":  "LEAT_BROKER_AMQP_URI=amqp://leat:hunter2@127.0.0.1:1/",
		"sql":   "LEAT_BROKER_SQL_URI=postgres://leat:hunter2@127.0.0.1:1/leat?sslmode=disable",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := refused(t, 1, []string{"REDIS_ADDR=" + redis.addr, "LEAT_STORE_URI=sqlite:leat.db", "LEAT_BROKER_KIND=" + kind, address,
				"LEAT_BROKER_CONNECT_TIMEOUT=3s"})
			require.Contains(t, r.err, "waiting for the broker ("+kind+")")
			require.Contains(t, r.err, "the broker ("+kind+") could not be used within 3s")
			require.Greater(t, r.took, 2*time.Second, "it waits")
			require.Less(t, r.took, 25*time.Second)
		})
	}
}

// Wrong credentials are not waited out, and not repeated in the log.
func TestRunRefusesWrongCredentialsOfABrokerAtOnce(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	for kind, open := range map[string]func(t *testing.T) []string{
		"nats": func(t *testing.T) []string {
			s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, Username: "leat", Password: "right", NoSigs: true, NoLog: true})
			require.NoError(t, err)
			go s.Start()
			t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
			require.True(t, s.ReadyForConnections(10*time.Second))
			return []string{"LEAT_BROKER_NATS_URLS=" + s.ClientURL(), "LEAT_BROKER_NATS_USER=leat", "LEAT_BROKER_NATS_PASSWORD=hunter2"}
		},
		"kafka": func(t *testing.T) []string {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "leat", "right"))
			require.NoError(t, err)
			t.Cleanup(cluster.Close)
			return []string{"LEAT_BROKER_KAFKA_BROKERS=" + cluster.ListenAddrs()[0], "LEAT_BROKER_KAFKA_SASL_MECHANISM=plain",
				"LEAT_BROKER_KAFKA_SASL_USER=leat", "LEAT_BROKER_KAFKA_SASL_PASSWORD=hunter2"}
		},
		"amqp": func(t *testing.T) []string {
			answers(t, "RabbitMQ", "127.0.0.1:5672")
			return []string{"LEAT_BROKER_AMQP_URI=amqp://guest:hunter2@127.0.0.1:5672/"}
		},
		"sql": func(t *testing.T) []string { // trust asks for no password, but for a database that exists
			answers(t, "PostgreSQL", "127.0.0.1:5432")
			return []string{"LEAT_BROKER_SQL_URI=postgres://postgres:hunter2@127.0.0.1:5432/leat_there_is_none?sslmode=disable"}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := refused(t, 1, append(open(t), "REDIS_ADDR="+redis.addr, "LEAT_STORE_URI=sqlite:leat.db", "LEAT_BROKER_KIND="+kind))
			require.NotContains(t, r.err, "waiting for the broker")
			require.NotContains(t, r.err, "hunter2")
			require.Contains(t, r.err, "broker."+kind, "it says which setting is wrong")
			require.Less(t, r.took, 10*time.Second)
		})
	}
}
