package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

// disturbance is something that goes wrong, at a time after the begin of the storm.
type disturbance struct {
	at   time.Duration
	what string
	do   func()
}

// weather lets the storm go over the workers. When it returns, everything runs again, or starts.
func (c *chaos) weather(s storm) {
	var all []disturbance
	add := func(at time.Duration, what string, do func()) { all = append(all, disturbance{at, what, do}) }
	sometime := func() time.Duration { return time.Duration(c.random.Int64N(int64(s.span))) }
	for range s.kills {
		n := c.random.IntN(len(c.workers))
		add(sometime(), "a worker is killed", func() { c.workers[n].kill(); c.workers[n] = c.start() })
	}
	for range s.stops {
		n := c.random.IntN(len(c.workers))
		add(sometime(), "a worker is replaced", func() { c.replace(n) })
	}
	for range s.stands {
		n, at := c.random.IntN(len(c.workers)), sometime()
		still := c.forgets + time.Duration(c.random.Int64N(int64(c.forgets)))
		var who *process
		add(at, "a worker stands still", func() { who = c.workers[n]; who.signal(syscall.SIGSTOP) })
		add(at+still, "it goes on", func() { _ = who.cmd.Process.Signal(syscall.SIGCONT) }) // if it has not been killed
	}
	for _, at := range c.apart(s.cuts, s.span) {
		add(at, "the broker is cut off", func() { c.down++; c.trouble(); c.between.set(true) })
		add(at+outageTime, "the broker is back", func() { c.between.set(false); c.down-- })
	}
	for _, at := range c.apart(s.outages, s.span) {
		add(at, "Redis is killed", func() { c.down++; c.trouble(); c.redis.kill() })
		add(at+outageTime, "Redis is back", func() { c.redis.start(c.t); c.down-- })
	}
	slices.SortStableFunc(all, func(a, b disturbance) int { return cmp.Compare(a.at, b.at) })
	c.began = time.Now()
	for _, each := range all {
		<-time.After(time.Until(c.began.Add(each.at)))
		c.t.Logf("%s: %s", time.Since(c.began).Round(time.Millisecond), each.what)
		each.do()
	}
}

// apart returns n times in the span that are further from one another than an outage lasts.
func (c *chaos) apart(n int, span time.Duration) []time.Duration {
	var at []time.Duration
	each := span / time.Duration(max(n, 1))
	for i := range n {
		at = append(at, time.Duration(i)*each+time.Duration(c.random.Int64N(int64(each-outageTime))))
	}
	return at
}

func (c *chaos) replace(n int) {
	who := c.workers[n]
	who.signal(syscall.SIGTERM)
	c.leaving = append(c.leaving, who)
	c.workers[n] = c.start()
	switch {
	case c.down > 0:
		c.trouble()
	case !strings.Contains(who.log.String(), "msg=running"): // it may not know yet what to do at a signal
		c.troubled = append(c.troubled, who)
	}
}

// trouble notes who cannot be expected to finish, now that something is down: those that are leaving.
func (c *chaos) trouble() {
	for _, each := range c.leaving {
		if !each.ended() {
			c.troubled = append(c.troubled, each)
		}
	}
}

// calm waits until all is worked through, and verifies that it adds up and that nothing is left.
func (c *chaos) calm(lines []line) {
	letters := func() [][]byte { return c.backend.letters(c.world, c.topic+".dlq") }
	for _, worker := range c.workers {
		worker.running()
	}
	c.amountsTo(c.backend, lines, letters)
	for _, each := range c.leaving {
		if code := each.wait(30 * time.Second); !slices.Contains(c.troubled, each) {
			require.Zero(c.t, code, "exit code after SIGTERM; the log:\n%s", each.log.tail(40))
		}
	}
	c.nothingIsLeft()
	c.fire()
	c.isEmpty()
	c.amountsTo(c.backend, lines, letters)
}

// isEmpty verifies that a worker that comes when all others have gone is given nothing.
func (c *chaos) isEmpty() {
	c.hire(1)
	worker := c.workers[0]
	c.nothingIsLeft()
	for _, event := range []string{"read", "claimed"} {
		require.Zero(c.t, worker.metric(`leat_broker_entries_total{event="`+event+`",pipeline="activity"}`), "what a new worker is given: %s", event)
	}
	worker.terminate()
	c.workers = nil
}

// nothingIsLeft waits until all workers agree, for longer than it takes them to ask the broker, that it has nothing for them.
func (c *chaos) nothingIsLeft() {
	var since time.Time
	var waiting, pending float64
	until(c.t, 60*time.Second, func() bool {
		waiting, pending = 0, 0
		for _, worker := range c.workers {
			waiting += worker.metric(`leat_broker_waiting_messages{pipeline="activity"}`)
			pending += worker.metric(`leat_broker_pending_messages{pipeline="activity"}`)
		}
		if waiting != 0 || pending != 0 || since.IsZero() {
			since = time.Now()
		}
		return time.Since(since) > 2*time.Second
	}, func() string {
		return fmt.Sprintf("nothing is left in the broker: %v waiting, %v pending", waiting, pending)
	})
}
