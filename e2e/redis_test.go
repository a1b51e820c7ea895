package e2e

import (
	"context"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// redisServer is a redis-server of one test, with an append-only file.
type redisServer struct {
	*redis.Client // without credentials
	addr          string
	dir           string
	args          []string
	cmd           *exec.Cmd
}

func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		missing(t, "redis-server is not in the PATH")
	}
	s := &redisServer{addr: freeAddr(t), dir: t.TempDir(), args: args}
	s.Client = redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1, DialerRetries: 1, ReadTimeout: 30 * time.Second})
	t.Cleanup(func() { _ = s.Close() })
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

func (s *redisServer) start(t testing.TB) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.addr)
	require.NoError(t, err)
	s.cmd = exec.CommandContext(t.Context(), "redis-server", append([]string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", s.dir, "--loglevel", "warning",
		"--appendonly", "yes", "--appendfsync", "everysec",
	}, s.args...)...)
	require.NoError(t, s.cmd.Start())
	until(t, 20*time.Second, func() bool {
		err := s.Ping(t.Context()).Err()
		return err == nil || redis.HasErrorPrefix(err, "NOAUTH")
	}, func() string { return "redis-server answers" })
}

// kill ends the server as kill -9 does.
func (s *redisServer) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// silence drops what go-redis logs: servers that are down are part of these tests.
type silence struct{}

// Printf implements the logger of go-redis.
func (silence) Printf(context.Context, string, ...any) {}

// restart starts the server anew, with more arguments. With --appendfsync always it loses nothing that it answered, even
// if it is killed.
func (s *redisServer) restart(t testing.TB, args ...string) {
	t.Helper()
	s.kill()
	s.args = append(s.args, args...)
	s.start(t)
}

func freeAddr(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}
