package e2e

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// SIGTERM under load: the worker ends cleanly and soon, what it finished is acked, and what it did not finish has no
// effect yet. The next one takes up just that.
func TestStoppedUnderLoad(t *testing.T) {
	for _, kind := range stores {
		t.Run(kind.name, func(t *testing.T) {
			entries := 20_000
			if kind.slow {
				entries = 2_000
			}
			random := random(t)
			w := newWorld(t, kind.open(t))
			all := newLoad(random).entries(entries)
			w.publish(all...)
			worker := w.run(append(smallBatches(0), atRate(entries*3/10))...)
			w.reads(entries/4 + random.IntN(entries/4))
			began := time.Now()
			worker.terminate()
			require.Less(t, time.Since(began), 10*time.Second, "the worker had little to finish")
			finished := w.nothingHalfDone(all)

			next := w.run()
			w.drained(90 * time.Second)
			given := next.metric(`leat_broker_entries_total{event="read",pipeline="activity"}`) +
				next.metric(`leat_broker_entries_total{event="claimed",pipeline="activity"}`)
			require.EqualValues(t, entries-finished, given, "entries that the next worker was given")
			next.terminate()
			w.addsUp(all)
		})
	}
}

// nothingHalfDone verifies, after a clean stop, that entries that are pending have had no effect, and that all others
// that were read are recorded and counted, or in the DLQ. It returns how many are finished.
func (w *world) nothingHalfDone(all []*entry) (finished int) {
	w.t.Helper()
	s, err := w.state()
	require.NoError(w.t, err)
	require.Positive(w.t, s.lag, "the stop came after everything was read")
	pending, open := map[string]bool{}, map[string]bool{}
	for _, id := range w.pending() {
		pending[id] = true
	}
	for n, e := range all {
		open[e.id] = pending[e.id] || n >= int(s.read)
	}
	for position := range w.recordsAreTrue(all, open) {
		require.False(w.t, pending[position], "entry %s is recorded and pending", position)
	}
	dead := map[string]bool{}
	for _, letter := range w.letters() {
		id := letter.Metadata.Get("dlq_position")
		require.False(w.t, pending[id], "entry %s is dead-lettered and pending", id)
		dead[id] = true
	}
	truth, counted := boards{}, map[string]bool{}
	for _, e := range all {
		switch {
		case open[e.id]:
		case e.event == nil:
			require.True(w.t, dead[e.id], "entry %s is acked and not in the DLQ", e.id)
		case !counted[e.name()]:
			counted[e.name()] = true
			truth.count(e.event.user, e.event.category, e.when(w.t), e.event.millis)
		}
	}
	requireBoards(w.t, truth, w.boards())
	w.t.Logf("stopped: %d read, %d of them pending", s.read, s.pending)
	return int(s.read - s.pending)
}

// While the store does not answer, a stop waits for it no longer than shutdown.timeout, and a second signal not at all.
// Either way nothing is lost.
func TestStoppedWhileTheStoreHangs(t *testing.T) {
	for name, signals := range map[string]int{"one signal": 1, "two signals": 2} {
		t.Run(name, func(t *testing.T) {
			db := openPostgres(t)
			store := behind(t, db)
			w := newWorld(t, db)
			all := newLoad(random(t)).entries(20_000)
			w.publish(all...)
			worker := w.run("LEAT_SHUTDOWN_TIMEOUT=6s")
			w.reads(1_000)
			store.freeze()
			began := time.Now()
			worker.signal(syscall.SIGTERM)
			if signals == 2 {
				worker.stopping()
				require.False(t, worker.ended(), "the first signal waits for the store")
				worker.signal(syscall.SIGTERM)
				require.Equal(t, -1, worker.wait(time.Second), "the second signal ends it at once")
			} else {
				require.Equal(t, 1, worker.wait(8*time.Second), "not all was finished")
				require.Less(t, time.Since(began), 7*time.Second)
				require.Contains(t, worker.log.tail(1), "pipeline activity", "the last line says what was not finished")
			}
			store.thaw()
			next := w.run()
			w.drained(60 * time.Second)
			next.terminate()
			w.addsUp(all)
		})
	}
}

// While Redis is away, acks cannot be told: the stop gives up within its time and says so, and the next worker finds out
// that their events are counted.
func TestStoppedWhileRedisIsAway(t *testing.T) {
	w := newWorld(t, openSQLite(t))
	w.redis.restart(t, "--appendfsync", "always")
	all := newLoad(random(t)).entries(10_000)
	w.publish(all...)
	worker := w.run("LEAT_SHUTDOWN_TIMEOUT=10s", "LEAT_REDIS_TIMEOUT=1s")
	w.reads(3_000)
	w.redis.kill()
	began := time.Now()
	worker.signal(syscall.SIGTERM)
	worker.wait(10 * time.Second)
	require.Less(t, time.Since(began), 8*time.Second, "no handler is at work: only the acks may be waited for")
	require.NotContains(t, worker.log.String(), "without an outcome")
	w.redis.start(t)
	next := w.run()
	w.drained(60 * time.Second)
	next.terminate()
	w.addsUp(all)
}

// stopping waits until the worker has begun to stop: its HTTP server closes first.
func (p *process) stopping() {
	p.t.Helper()
	addr := p.http()
	until(p.t, 10*time.Second, func() bool {
		conn, err := new(net.Dialer).DialContext(p.t.Context(), "tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, func() string { return "the worker begins to stop" })
}
