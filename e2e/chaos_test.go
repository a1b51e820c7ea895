package e2e

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Three workers, and everything that may go wrong, in any order and at the same time: it adds up in the end.
func TestChaos(t *testing.T) {
	random := random(t)
	db := openPostgres(t)
	store := behind(t, db)
	w := newWorld(t, db)
	w.redis.restart(t, "--appendfsync", "always")
	load := newLoad(random)
	all := load.entries(15_000)
	w.publish(all...)
	env := w.env(slices.Concat(quickBreaker, smallBatches(0), []string{
		atRate(2_000), "LEAT_BROKER_REDISSTREAM_CLAIM_MIN_IDLE=400ms", "LEAT_BROKER_REDISSTREAM_NACK_DELAY=50ms",
		"LEAT_BROKER_REDISSTREAM_NACK_MAX_DELAY=300ms", "LEAT_BROKER_REDISSTREAM_MAX_DELIVERIES=10000",
	})...)
	start := func() *process { return launch(t, env, "run") }
	workers := []*process{start().running(), start().running(), start().running()}
	while := func(most time.Duration) { <-time.After(time.Duration(random.Int64N(int64(most)))) }
	for range 12 {
		n := random.IntN(len(workers))
		switch random.IntN(6) {
		case 0:
			t.Logf("worker %d is killed", n)
			workers[n].kill()
			workers[n] = start()
		case 1:
			t.Logf("worker %d is replaced", n)
			workers[n].signal(syscall.SIGTERM)
			workers[n] = start()
		case 2:
			t.Logf("worker %d stands still", n)
			workers[n].signal(syscall.SIGSTOP)
			while(1500 * time.Millisecond)
			workers[n].signal(syscall.SIGCONT)
		case 3:
			t.Log("the store is cut off")
			store.set(true)
			while(time.Second)
			store.set(false)
		case 4:
			t.Log("Redis is killed")
			w.redis.kill()
			while(time.Second)
			w.redis.start(t)
		case 5:
			t.Log("the group is deleted")
			require.NoError(t, w.redis.XGroupDestroy(t.Context(), topic, group).Err())
		}
		while(400 * time.Millisecond)
	}
	w.drained(90 * time.Second)
	for _, worker := range workers {
		worker.running().terminate()
	}
	w.addsUp(all)
}
