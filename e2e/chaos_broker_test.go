package e2e

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

// shared is a broker that several processes share, with short times and something between it and leat that can be cut.
type shared struct {
	backend
	between *proxy        // nil: the one in front of Redis
	hasty   []string      // short times, for workers only
	forgets time.Duration // how long a process must be silent for the broker to give its messages to others
}

// sharedBrokers are all but the one inside the process.
var sharedBrokers = []struct {
	name string
	open func(t testing.TB, topic string) shared
}{
	{"redisstream", func(t testing.TB, topic string) shared {
		return shared{backend: openRedisStream(t, topic), forgets: 600 * time.Millisecond, hasty: []string{"LEAT_BROKER_REDISSTREAM_CLAIM_MIN_IDLE=600ms"}}
	}},
	{"nats", func(t testing.TB, topic string) shared {
		s := shared{backend: openNATS(t, topic), between: startProxy(t, "127.0.0.1:4222"), forgets: time.Second}
		s.hasty = []string{"LEAT_BROKER_NATS_ACK_WAIT=1s", "LEAT_BROKER_NATS_TIMEOUT=2s"}
		return s.with("LEAT_BROKER_NATS_URLS=nats://" + s.between.addr())
	}},
	{"kafka", openSharedKafka},
	{"amqp", func(t testing.TB, topic string) shared { return openSharedAMQP(t, topic, "quorum") }},
	{"amqp-classic", func(t testing.TB, topic string) shared { return openSharedAMQP(t, topic, "classic") }},
	{"sql", func(t testing.TB, topic string) shared {
		b := openSQLBroker(t, topic)
		return shared{backend: b, between: behind(t, b.db), forgets: 900 * time.Millisecond,
			hasty: []string{"LEAT_BROKER_SQL_LEASE=900ms", "LEAT_BROKER_SQL_TIMEOUT=2s", "LEAT_BROKER_SQL_POOL_SIZE=3"}}
	}},
}

func openSharedAMQP(t testing.TB, topic, queues string) shared {
	s := shared{backend: openAMQP(t, topic), between: startProxy(t, "127.0.0.1:5672"), forgets: 2 * time.Second}
	s.hasty = []string{"LEAT_BROKER_AMQP_HEARTBEAT=1s", "LEAT_BROKER_AMQP_TIMEOUT=2s", "LEAT_BROKER_AMQP_MAX_HOLD=2s"}
	return s.with("LEAT_BROKER_AMQP_URI=amqp://guest:guest@"+s.between.addr()+"/", "LEAT_BROKER_AMQP_QUEUE_TYPE="+queues)
}

// openSharedKafka starts a broker that names the proxy as its address: clients come back to where it says it is.
func openSharedKafka(t testing.TB, _ string) shared {
	var between *proxy
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(6), kfake.GroupMinSessionTimeout(time.Second),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			listener, err := new(net.ListenConfig).Listen(t.Context(), network, address)
			if err != nil {
				return nil, err
			}
			between = startProxy(t, listener.Addr().String())
			return relocated{listener, between.listener.Addr()}, nil
		}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	addr := cluster.ListenAddrs()[0]
	require.Equal(t, between.addr(), addr)
	s := shared{backend: kafkaAt(addr), between: between, forgets: 2 * time.Second}
	s.hasty = []string{"LEAT_BROKER_KAFKA_SESSION_TIMEOUT=2s", "LEAT_BROKER_KAFKA_TIMEOUT=2s"}
	return s.with("LEAT_BROKER_KAFKA_TOPIC_PARTITIONS=6")
}

// relocated is a listener that says that it listens elsewhere.
type relocated struct {
	net.Listener
	at net.Addr
}

func (l relocated) Addr() net.Addr { return l.at }

// with adds what a broker is set to; the last of two values counts.
func (s shared) with(env ...string) shared {
	s.env = append(s.env, env...)
	return s
}

func (p *proxy) addr() string { return p.listener.Addr().String() }
