package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	opened = `msg="breaker open`
	closed = `msg="breaker closed`

	batches = `leat_batch_size_messages_count{pipeline="activity"}`
)

// quickBreaker makes outages short.
var quickBreaker = []string{"LEAT_PIPELINES_ACTIVITY_BREAKER_PROBE=200ms", "LEAT_REDIS_TIMEOUT=2s", "LEAT_STORE_SQL_TIMEOUT=1s"}

// outage takes a dependency away under load until the breaker has opened, and gives it back: all is held, nothing goes to
// the DLQ, and everything adds up.
func outage(t *testing.T, w *world, take, giveBack func()) {
	random := random(t)
	all := newLoad(random).entries(20_000)
	w.publish(all...)
	worker := w.run(slices.Concat(quickBreaker, smallBatches(0), []string{atRate(6_000)})...)
	w.reads(5_000 + random.IntN(5_000))
	take()
	worker.logged(opened, 1, 30*time.Second)
	probes := worker.metric(batches)
	until(t, 30*time.Second, func() bool { return worker.metric(batches) >= probes+3 }, func() string { return "three probes fail" })
	giveBack()
	worker.logged(closed, 1, 30*time.Second)
	w.drained(90 * time.Second)
	worker.terminate()
	w.addsUp(all)
	log := worker.log.String()
	require.Equal(t, 1, strings.Count(log, opened), "one line when the breaker opens:\n%s", worker.log.tail(30))
	require.Equal(t, 1, strings.Count(log, closed), "one line when it closes:\n%s", worker.log.tail(30))
	require.NotContains(t, log, "level=ERROR")
	t.Logf("%d lines of log but dead letters", strings.Count(log, "\n")-strings.Count(log, "dead-lettered"))
}

// Redis is killed and comes back with what its append-only file holds.
func TestRedisOutage(t *testing.T) {
	w := newWorld(t, openSQLite(t))
	w.redis.restart(t, "--appendfsync", "always")
	outage(t, w, w.redis.kill, func() { w.redis.start(t) })
}

// The connections to PostgreSQL are cut and refused.
func TestStoreOutage(t *testing.T) {
	db := openPostgres(t)
	store := behind(t, db)
	outage(t, newWorld(t, db), func() { store.set(true) }, func() { store.set(false) })
}

// PostgreSQL takes connections and does not answer.
func TestStoreHangs(t *testing.T) {
	db := openPostgres(t)
	store := behind(t, db)
	outage(t, newWorld(t, db), store.freeze, store.thaw)
}

// Somebody deletes the group: it is created again, reads the whole stream once more, and nothing is recorded or counted
// twice.
func TestGroupDeleted(t *testing.T) {
	random := random(t)
	w := newWorld(t, openSQLite(t))
	all := newLoad(random).entries(10_000)
	w.publish(all...)
	worker := w.run(smallBatches(0)...)
	w.reads(5_000 + random.IntN(3_000))
	require.NoError(t, w.redis.XGroupDestroy(t.Context(), topic, group).Err())
	w.reads(len(all))
	w.drained(60 * time.Second)
	worker.terminate()
	w.addsUp(all)
}

// A Redis that answers and takes nothing, because its memory is full or because it is a replica now, is an outage too.
func TestRedisTakesNothing(t *testing.T) {
	for _, refusal := range []struct {
		name          string
		begin, finish []any
	}{
		{"out of memory", []any{"config", "set", "maxmemory", "1mb"}, []any{"config", "set", "maxmemory", "0"}},
		{"read-only", []any{"replicaof", "127.0.0.1", "1"}, []any{"replicaof", "no", "one"}},
	} {
		t.Run(refusal.name, func(t *testing.T) {
			w := newWorld(t, openSQLite(t))
			do := func(args []any) func() {
				return func() { require.NoError(t, w.redis.Do(t.Context(), args...).Err()) }
			}
			outage(t, w, do(refusal.begin), do(refusal.finish))
		})
	}
}
