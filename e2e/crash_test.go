package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever moment kill -9 comes at, everything adds up once the worker is back: five kills while 20,000 entries with
// repeats and poison among them are worked through.
func TestKilled(t *testing.T) {
	for _, kind := range stores {
		t.Run(kind.name, func(t *testing.T) {
			entries, kills := 20_000, 5
			if kind.slow {
				entries, kills = 2_000, 2
			}
			random := random(t)
			w := newWorld(t, kind.open(t))
			all := newLoad(random).entries(entries)
			w.publish(all...)
			done := 0
			for n := range kills {
				worker := w.run(smallBatches(n)...)
				w.reads(done + random.IntN(2*(entries-done)/(kills-n+1)))
				<-time.After(time.Duration(random.IntN(20_000)) * time.Microsecond) // somewhere within a batch
				worker.kill()
				left, err := w.state()
				require.NoError(t, err)
				t.Logf("killed: %+v", left)
				done = int(left.read)
			}
			worker := w.run()
			w.drained(90 * time.Second)
			worker.terminate()
			w.addsUp(all)
		})
	}
}

// smallBatches makes every other run one of many small batches, which can be interrupted at more places.
func smallBatches(run int) []string {
	if run%2 == 0 {
		return []string{
			"LEAT_PIPELINES_ACTIVITY_BATCH_SIZE=40", "LEAT_BROKER_REDISSTREAM_IN_FLIGHT=400", "LEAT_BROKER_REDISSTREAM_COUNT=100",
		}
	}
	return nil
}

// Two workers share a group. One is killed and does not come back: the other one takes its entries over.
func TestSurvivor(t *testing.T) {
	random := random(t)
	w := newWorld(t, openSQLite(t))
	all := newLoad(random).entries(10_000)
	small := append(smallBatches(0), "LEAT_BROKER_REDISSTREAM_CLAIM_MIN_IDLE=1s")
	victim := w.run(append(small, "LEAT_BROKER_REDISSTREAM_CONSUMER=victim")...)
	survivor := w.run(append(small, "LEAT_BROKER_REDISSTREAM_CONSUMER=survivor")...)
	w.publish(all...)
	w.reads(3_000 + random.IntN(2_000))
	victim.kill()
	w.drained(60 * time.Second)
	survivor.terminate()
	w.addsUp(all)
}

// A worker stands still for so long that another one takes its name and its entries, and then goes on with what it had in
// its hands: nothing is counted twice.
func TestZombie(t *testing.T) {
	random := random(t)
	w := newWorld(t, openPostgres(t)) // a SQLite file may be locked by who stands still
	all := newLoad(random).entries(10_000)
	w.publish(all...)
	quick := append(smallBatches(0), "LEAT_BROKER_REDISSTREAM_CLAIM_MIN_IDLE=300ms")
	zombie := w.run(quick...)
	w.reads(2_000 + random.IntN(3_000))
	zombie.signal(syscall.SIGSTOP)
	other := w.run(quick...)
	w.drained(60 * time.Second)
	zombie.signal(syscall.SIGCONT)
	more := newLoad(random).entries(2_000)
	w.publish(more...)
	w.drained(60 * time.Second)
	other.terminate()
	zombie.terminate()
	w.addsUp(append(all, more...))
}
