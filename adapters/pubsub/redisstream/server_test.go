package redisstream

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

func TestMain(m *testing.M) {
	// Watermill's suite abandons the readers that it multiplies, and the stock subscriber does not wait for its own.
	const multiplier = "github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe"
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(multiplier+".func2"), goleak.IgnoreAnyFunction(multiplier+".func3"),
		goleak.IgnoreAnyFunction("github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream.(*Subscriber).read"))
}

// server is a redis-server of one test.
type server struct {
	addr string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// startRedis starts a redis-server of its own for the test, and stops it at its end.
func startRedis(t testing.TB, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not in the PATH")
		}
		t.Skip("redis-server is not in the PATH")
	}
	s := &server{addr: freeAddr(t), dir: t.TempDir(), args: args}
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

// freeAddr returns an address whose port, and the one that a node of a cluster uses beside it, nobody uses now.
func freeAddr(t testing.TB) string {
	for {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		addr := listener.Addr().(*net.TCPAddr)
		require.NoError(t, listener.Close())
		if addr.Port > 65535-10000 {
			continue
		}
		beside, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", addr.Port+10000))
		if err != nil {
			continue
		}
		require.NoError(t, beside.Close())
		return addr.String()
	}
}

func (s *server) start(t testing.TB) {
	_, port, _ := net.SplitHostPort(s.addr)
	s.cmd = exec.Command("redis-server", append([]string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", s.dir, "--loglevel", "warning",
		"--appendonly", "yes", "--appendfsync", "everysec",
	}, s.args...)...)
	require.NoError(t, s.cmd.Start())
	client := redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1})
	defer func() { _ = client.Close() }()
	require.Eventually(t, func() bool {
		err := client.Ping(context.Background()).Err()
		return err == nil || hasCode(err, "NOAUTH")
	}, 10*time.Second, 10*time.Millisecond)
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// connect returns a client that ends with the test.
func connect(t testing.TB, addr string) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// onBoth runs a test on a real Redis and on miniredis.
func onBoth(t *testing.T, test func(t *testing.T, client *redis.Client)) {
	t.Run("redis", func(t *testing.T) { test(t, connect(t, startRedis(t).addr)) })
	t.Run("miniredis", func(t *testing.T) { test(t, connect(t, miniredis.RunT(t).Addr())) })
}

// quick are options that make a test short.
func quick(client redis.UniversalClient) options {
	return options{
		Config: Config{
			Consumer: "c1", InFlight: 100, Count: 20, Block: 20 * time.Millisecond,
			Claim: Claim{MinIdle: 10 * time.Second}, Nack: inflight.Nack{Delay: 10 * time.Millisecond, MaxDelay: time.Second},
			MaxDeliveries: 3, Lease: 5 * time.Second,
		},
		Options: pubsub.Options{Group: "g", CloseTimeout: 100 * time.Millisecond}, Client: client,
	}
}

func xadd(t testing.TB, client redis.UniversalClient, stream string, n int) []string {
	t.Helper()
	var ids []string
	for i := range n {
		id, err := client.XAdd(context.Background(), &redis.XAddArgs{Stream: stream, Values: []string{"n", fmt.Sprint(i)}}).Result()
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}
