package redisstream

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
)

// master is the name under which the sentinel watches.
const master = "leat"

// startSentinel starts a primary, a replica that has caught up, and a sentinel that knows both.
func startSentinel(t testing.TB) (primary, replica *server, sentinel *redis.SentinelClient, addr string) {
	primary = startRedis(t)
	_, port, _ := net.SplitHostPort(primary.addr)
	replica = startRedis(t, "--replicaof", "127.0.0.1", port)
	until(t, func() bool {
		return connect(t, replica.addr).InfoMap(context.Background(), "replication").Item("Replication", "master_link_status") == "up"
	})

	addr = freeAddr(t)
	_, sentinelPort, _ := net.SplitHostPort(addr)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `port %s
bind 127.0.0.1
loglevel warning
sentinel monitor %s 127.0.0.1 %s 1
sentinel down-after-milliseconds %[2]s 500
sentinel failover-timeout %[2]s 3000
`, sentinelPort, master, port), 0o600))
	process := exec.Command("redis-server", file, "--sentinel")
	require.NoError(t, process.Start())
	t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	sentinel = redis.NewSentinelClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = sentinel.Close() })
	until(t, func() bool {
		replicas, err := sentinel.Replicas(context.Background(), master).Result()
		return err == nil && len(replicas) == 1 && replicas[0]["master-link-status"] == "ok"
	})
	return primary, replica, sentinel, addr
}

// until waits for what must happen.
func until(t testing.TB, happened func() bool) {
	t.Helper()
	require.Eventually(t, happened, 2*patience, 10*time.Millisecond)
}

// TestSentinel follows the master to another server, whether the old one died or was told to step down.
func TestSentinel(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		move func(t *testing.T, primary *server, sentinel *redis.SentinelClient)
	}{
		{"the master dies", func(_ *testing.T, primary *server, _ *redis.SentinelClient) { primary.kill() }},
		{"the master steps down", func(t *testing.T, _ *server, sentinel *redis.SentinelClient) {
			require.NoError(t, sentinel.Failover(context.Background(), master).Err())
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			primary, replica, sentinel, addr := startSentinel(t)
			client := redis.NewFailoverClient(&redis.FailoverOptions{
				MasterName: master, SentinelAddrs: []string{addr}, ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1,
			})
			defer func() { require.NoError(t, client.Close()) }()
			moves(t, client, func() {
				require.EqualValues(t, 1, client.Wait(context.Background(), 1, patience).Val(), "the replica has everything")
				test.move(t, primary, sentinel)
				_, port, _ := net.SplitHostPort(replica.addr)
				until(t, func() bool { // else what is published may go to a master that has been replaced
					return client.InfoMap(context.Background(), "server").Item("Server", "tcp_port") == port
				})
			}, "s")
		})
	}
}

// moves holds that a subscriber goes on when the streams have another master: what it holds does not come again, what it acks is
// acked, and what is published comes.
func moves(t *testing.T, client redis.UniversalClient, move func(), streams ...string) {
	config := conforming
	config.Consumer = "c1"
	backend := NewBackend(client, config, 5*time.Second, nil)
	broker, err := backend.Broker(pubsub.Options{Group: "g", CloseTimeout: 5 * time.Second})
	require.NoError(t, err)
	channels := make(map[string]<-chan *message.Message)
	held := make(map[string][]*message.Message)
	for _, stream := range streams {
		channels[stream], err = broker.Subscriber.Subscribe(context.Background(), stream)
		require.NoError(t, err)
		publish(t, backend, stream, 30)
		all := receiveAll(t, channels[stream], 30)
		for _, msg := range all[:10] {
			msg.Ack()
		}
		held[stream] = all[10:]
		until(t, func() bool { return len(pending(t, client, stream)) == 20 })
	}

	move()
	for _, stream := range streams {
		held[stream][0].Ack() // while the subscriber may not have noticed
		publish(t, backend, stream, 30)
		all := receiveAll(t, channels[stream], 30)
		seen := make(map[string]bool)
		for _, msg := range append(all, held[stream]...) {
			require.False(t, seen[msg.Metadata[delivery.KeyPosition]], "delivered twice at a time")
			seen[msg.Metadata[delivery.KeyPosition]] = true
			msg.Ack()
		}
		until(t, func() bool { return len(pending(t, client, stream)) == 0 })
		floors, err := broker.Floors.Floors(context.Background(), stream)
		require.NoError(t, err)
		last, err := delivery.ParsePosition(all[len(all)-1].Metadata[delivery.KeyPosition])
		require.NoError(t, err)
		require.Equal(t, last.Next(), floors[stream])
		lag, err := broker.Lag.Lag(context.Background(), stream)
		require.NoError(t, err)
		require.Zero(t, lag)
		none(t, channels[stream], 200*time.Millisecond)
	}
	require.NoError(t, broker.Subscriber.Close())
	require.NoError(t, backend.Close())
}

// publish publishes n messages, as soon as there is somebody who takes them.
func publish(t *testing.T, backend *Backend, stream string, n int) {
	t.Helper()
	for range n {
		until(t, func() bool {
			return backend.Publisher().Publish(stream, message.NewMessage(watermill.NewUUID(), []byte("{}"))) == nil
		})
	}
}
