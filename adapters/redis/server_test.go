package redis

import (
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// It ends within a second after its client is closed.
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// startRedis starts a redis-server of its own for the test, which nothing survives, and returns its address.
func startRedis(t testing.TB, options ...string) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not in the PATH")
		}
		t.Skip("redis-server is not in the PATH")
	}
	addr := freeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	command := exec.Command("redis-server", append([]string{
		"--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--appendonly", "no",
	}, options...)...)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			err = conn.Close()
		}
		return err == nil
	}, 10*time.Second, 5*time.Millisecond, "redis-server does not listen")
	return addr
}

// freeAddr returns an address that nobody listens on.
func freeAddr(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func startMiniredis(t *testing.T) string {
	t.Helper()
	return miniredis.RunT(t).Addr()
}

// connect returns a client as the program has it.
func connect(t testing.TB, addr string) *redis.Client {
	t.Helper()
	client := NewClient(Config{Addr: addr, Timeout: 5 * time.Second, PoolSize: 4})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// onBoth runs a test on a real Redis and on miniredis.
func onBoth(t *testing.T, test func(t *testing.T, client *redis.Client)) {
	t.Run("redis", func(t *testing.T) { test(t, connect(t, startRedis(t))) })
	t.Run("miniredis", func(t *testing.T) { test(t, connect(t, startMiniredis(t))) })
}

// keys lists what Redis holds.
func keys(t *testing.T, client *redis.Client) []string {
	t.Helper()
	found, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	return found
}
