package e2e

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// refused runs a leat that must not come up, and returns what it says.
func refused(t *testing.T, code int, env []string, args ...string) result {
	t.Helper()
	r := leat(t, append([]string{"LEAT_HTTP_ADDR=127.0.0.1:0"}, env...), "", append([]string{"run"}, args...)...)
	require.Equal(t, code, r.code, "%s%s", r.out, r.err)
	require.NotContains(t, r.err, "goroutine ", "a panic")
	require.NotContains(t, r.err, "hunter2", "a secret")
	return r
}

func TestRunWithoutAddressesNamesBothWaysOn(t *testing.T) {
	t.Parallel()
	r := refused(t, 2, nil)
	for _, hint := range []string{"redis.addr", "REDIS_ADDR", "store.uri", "LEAT_STORE_URI", "leat run --embedded"} {
		require.Contains(t, r.err, hint)
	}
	r = refused(t, 2, []string{"REDIS_ADDR=127.0.0.1:1"})
	require.NotContains(t, r.err, "redis.addr")
	require.Contains(t, r.err, "store.uri")
}

func TestRunListsEveryErrorOfTheConfiguration(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "wrong.yaml")
	require.NoError(t, os.WriteFile(file, []byte("broker:\n  kidn: redisstream\nredis:\n  db: minus one\nhtp:\n  addr: x\n"), 0o600))
	r := refused(t, 2, []string{
		"LEAT_PIPELINES_ACTIVITY_BATCH_SIZE=0", "LEAT_SHUTDOWN_TIMEOUT=soon", "LEAT_BROKER_KIND=pigeon", "LEAT_BROKER_KIDN=x",
	}, "--config", file, "--pipelines.activity.time_zone", "Mars/Olympus")
	for _, problem := range []string{
		"broker.kidn", "broker.kind", "redis.db", "htp", "pipelines.activity.batch.size", "shutdown.timeout", "pigeon", "LEAT_BROKER_KIDN", "Mars/Olympus",
	} {
		require.Contains(t, r.err, problem)
	}
}

func TestRunGivesUpOnAStoreThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, uri := range map[string]string{
		"postgres": "postgres://leat:hunter2@127.0.0.1:1/leat?sslmode=disable",
		"mongo":    "mongodb://leat:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=300",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := refused(t, 1, []string{"REDIS_ADDR=" + startRedis(t).addr, "LEAT_STORE_URI=" + uri, "LEAT_STORE_CONNECT_TIMEOUT=2s"})
			require.Contains(t, r.err, "store")
			require.Contains(t, r.err, "2s")
			require.Greater(t, r.took, time.Second, "it waits")
			require.Less(t, r.took, 10*time.Second)
		})
	}
}

func TestRunGivesUpOnARedisThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	r := refused(t, 1, []string{"REDIS_ADDR=127.0.0.1:1", "LEAT_STORE_URI=sqlite:leat.db", "LEAT_BROKER_CONNECT_TIMEOUT=2s"})
	require.Contains(t, r.err, "redis at 127.0.0.1:1 could not be used within 2s")
	require.Greater(t, r.took, time.Second, "it waits")
}

// A wrong password is not waited out.
func TestRunRefusesWrongCredentialsAtOnce(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--requirepass", "right")
	for name, env := range map[string]string{"wrong": "REDIS_PASSWORD=hunter2", "none": "LEAT_LOG_LEVEL=info"} {
		t.Run(name, func(t *testing.T) {
			r := refused(t, 1, []string{"REDIS_ADDR=" + server.addr, env, "LEAT_STORE_URI=sqlite:leat.db"})
			require.Contains(t, r.err, "redis.password")
			require.Less(t, r.took, 5*time.Second)
		})
	}
}

func TestRunRefusesARedisThatEvicts(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	r := refused(t, 1, []string{"REDIS_ADDR=" + server.addr, "LEAT_STORE_URI=sqlite:leat.db"})
	require.Contains(t, r.err, "allkeys-lru")
	require.Contains(t, r.err, "noeviction")
	require.Less(t, r.took, 5*time.Second)
}

// What a port is needed for is said when somebody else has it.
func TestRunRefusesATakenPort(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	r := refused(t, 1, []string{"REDIS_ADDR=" + startRedis(t).addr, "LEAT_STORE_URI=sqlite:leat.db"}, "--http.addr", listener.Addr().String())
	require.Contains(t, r.err, listener.Addr().String())
}

// A worker waits for servers that come up after it.
func TestRunWaitsForRedis(t *testing.T) {
	t.Parallel()
	w := newWorld(t, openSQLite(t))
	w.redis.kill()
	worker := launch(t, w.env(), "run")
	worker.logged("waiting for redis", 1, 20*time.Second)
	w.redis.start(t)
	worker.running().terminate()
}
