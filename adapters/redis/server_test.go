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
	redis.SetLogger(silence{})
	goleak.VerifyTestMain(m,
		// It ends within a second after its client is closed.
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// server is a redis-server of one test.
type server struct {
	addr    string
	command *exec.Cmd
}

// kill ends the server as kill -9 does.
func (s *server) kill() {
	if s.command.ProcessState == nil {
		_ = s.command.Process.Kill()
		_ = s.command.Wait()
	}
}

// startServer starts a redis-server on a port of its own, which nothing survives.
func startServer(t testing.TB, options ...string) *server {
	t.Helper()
	addr := freeAddr(t)
	return launch(t, addr, append([]string{
		"--bind", "127.0.0.1", "--port", port(t, addr), "--dir", t.TempDir(), "--save", "", "--appendonly", "no",
		"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
	}, options...)...)
}

// launch starts a redis-server and waits until it listens.
func launch(t testing.TB, addr string, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not in the PATH")
		}
		t.Skip("redis-server is not in the PATH")
	}
	s := &server{addr: addr, command: exec.Command("redis-server", args...)}
	require.NoError(t, s.command.Start())
	t.Cleanup(s.kill)
	until(t, 10*time.Second, "redis-server listens", func() bool {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			err = conn.Close()
		}
		return err == nil
	})
	return s
}

// startRedis starts a redis-server and returns its address.
func startRedis(t testing.TB, options ...string) string {
	t.Helper()
	return startServer(t, options...).addr
}

// freeAddr returns an address that nobody listens on.
func freeAddr(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func port(t testing.TB, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	return port
}

func startMiniredis(t *testing.T) string {
	t.Helper()
	return miniredis.RunT(t).Addr()
}

// open returns a client as the program has it.
func open(t testing.TB, config Config) redis.UniversalClient {
	t.Helper()
	if config.Timeout == 0 {
		config.Timeout = 30 * time.Second // machines that tests run on are busy
	}
	config.PoolSize = 4
	client, err := NewClient(config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// connect returns a client of one server, as the program has it.
func connect(t testing.TB, addr string) *redis.Client {
	t.Helper()
	return open(t, Config{Addr: addr}).(*redis.Client)
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

// until waits until the condition holds, and fails the test when the time is up.
func until(t testing.TB, timeout time.Duration, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(timeout)
	defer end.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("not within %s: %s", timeout, what)
		}
	}
}
