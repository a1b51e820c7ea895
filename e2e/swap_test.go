package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A topic moves from broker to broker, with the same store and the same Redis, and each broker is left before it is empty, now by
// SIGTERM and now by kill -9. Every broker is told part of what others were told before. In the end all are emptied: nothing is
// lost, and nothing is counted twice.
func TestSwap(t *testing.T) {
	random, topic := random(t), newTopic()
	brokers := openToSwap(t, topic, random)
	lines := newLoad(random).lines(500 * len(brokers))
	each := len(lines) / len(brokers) // some lines short of 500
	lines = lines[:each*len(brokers)]
	w, ctx := brokers[0].world, t.Context()
	var before *chaos
	for n, c := range brokers {
		t.Logf("to %s", c.example)
		fresh := lines[each*n : each*(n+1)]
		c.hire(2)
		enough := len(w.db.records(t)) + random.IntN(200)
		if n > 0 {
			again := lines[random.IntN(each*n):][:200]
			require.NoError(t, c.publishRun(ctx, again))
			require.NoError(t, before.publishRun(ctx, fresh[:200]), "while nobody, or who goes, reads it")
		}
		if before != nil {
			before.leave()
		}
		require.NoError(t, c.publishRun(ctx, fresh))
		until(t, 60*time.Second, func() bool { return len(w.db.records(t)) > enough }, func() string {
			return fmt.Sprintf("more than %d lines are recorded", enough)
		})
		before = c
	}
	before.leave()
	random.Shuffle(len(brokers), func(i, j int) { brokers[i], brokers[j] = brokers[j], brokers[i] })
	for _, c := range brokers {
		t.Logf("back to %s", c.example)
		c.hire(2)
		c.nothingIsLeft()
		c.fire()
	}
	w.amountsTo(brokers[0].backend, lines, func() (all [][]byte) {
		for _, c := range brokers {
			all = append(all, c.backend.letters(w, topic+".dlq")...)
		}
		return all
	})
}

// openToSwap opens each broker once, in any order, on one store and one Redis.
func openToSwap(t *testing.T, topic string, random *rand.Rand) []*chaos {
	without := []string{"amqp", "amqp-classic"}[random.IntN(2)]
	var opened []shared
	var db store
	for _, n := range random.Perm(len(sharedBrokers)) {
		if kind := sharedBrokers[n]; kind.name != without {
			s := kind.open(t, topic)
			if s.db != nil {
				db = s.db
			}
			opened = append(opened, s)
		}
	}
	w := newWorld(t, db)
	w.redis.restart(t, "--appendfsync", "always")
	var brokers []*chaos
	for _, s := range opened {
		s.db = db
		brokers = append(brokers, newChaos(w, s, topic, random))
	}
	return brokers
}

// leave ends all workers, half of the time without asking.
func (c *chaos) leave() {
	if c.random.IntN(2) == 0 {
		c.fire()
		return
	}
	for _, worker := range c.workers {
		worker.kill()
	}
	c.workers = nil
}

func (c *chaos) fire() {
	for _, worker := range c.workers {
		worker.terminate()
	}
	c.workers = nil
}
