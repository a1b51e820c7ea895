package middleware

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

// chain is all of the middleware in its order, outermost first: observe, poison, breaker, retry, throttle, recover.
type chain struct {
	*rig
	dlq     dlq
	metrics *PipelineMetrics
	run     message.HandlerFunc
}

func withChain(t *testing.T, handler message.HandlerFunc, test func(t *testing.T, c *chain)) {
	withBreaker(t, 0, func(t *testing.T, r *rig) {
		_, metrics := testMetrics()
		c := &chain{rig: r, metrics: metrics}
		letters := poison(&c.dlq, &r.log)
		letters.Metrics = metrics
		c.run = Recover(handler)
		for _, outer := range []message.HandlerMiddleware{
			Throttle(ThrottleConfig{Rate: 1000, Burst: 1000}, r.drain),
			Retry(exactly, r.drain, metrics.Retried),
			r.Middleware,
			letters.Middleware,
			Observe(metrics, r.log.logger()),
		} {
			c.run = outer(c.run)
		}
		test(t, c)
	})
}

func (c *chain) count(outcome string) float64 {
	return testutil.ToFloat64(c.metrics.messages.WithLabelValues(outcome))
}

// A panic is an error of the message: recovered, tried again, dead-lettered with its stack, and acknowledged.
func TestChainPanic(t *testing.T) {
	calls := 0
	withChain(t, func(*message.Message) ([]*message.Message, error) {
		calls++
		panic("index out of range")
	}, func(t *testing.T, c *chain) {
		_, err := c.run(delivered("x"))
		require.NoError(t, err)
		require.Equal(t, 4, calls, "poison stands outside of retry")
		letter := c.dlq.letters[0]
		require.Equal(t, "panic: index out of range", letter.Metadata[DLQError])
		require.Contains(t, letter.Metadata[DLQStack], "order_test.go")
		require.Equal(t, "4", letter.Metadata[DLQAttempts])
		first, err := time.Parse(time.RFC3339Nano, letter.Metadata[DLQFirstFailure])
		require.NoError(t, err)
		require.Equal(t, 7*time.Second, time.Since(first), "of the first attempt, not of the last")
		require.Equal(t, 1.0, c.count(outcomeAck))
		require.Equal(t, 3.0, testutil.ToFloat64(c.metrics.retries.WithLabelValues("internal")))
	})
}

func TestChainInvalid(t *testing.T) {
	h := handlerOf(errInvalid)
	withChain(t, h.handle, func(t *testing.T, c *chain) {
		began := time.Now()
		_, err := c.run(delivered("x"))
		require.NoError(t, err)
		require.Equal(t, 1, h.called())
		require.Zero(t, time.Since(began))
		require.Equal(t, "invalid", c.dlq.letters[0].Metadata[DLQKind])
	})
}

// While a store is down, a message is tried in place, then held, and succeeds when the store is back: it never leaves,
// and never sees the DLQ.
func TestChainOutage(t *testing.T) {
	var down atomic.Bool
	var breaker *Breaker
	withChain(t, func(*message.Message) ([]*message.Message, error) {
		if down.Load() {
			breaker.Record(errUnavailable)
			return nil, errUnavailable
		}
		breaker.Record(nil)
		return nil, nil
	}, func(t *testing.T, c *chain) {
		breaker = c.Breaker
		down.Store(true)
		began := time.Now()
		time.AfterFunc(time.Hour, func() { down.Store(false) })
		_, err := c.run(delivered("x"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(began), time.Hour)
		require.Less(t, time.Since(began), time.Hour+15*time.Second)
		require.Empty(t, c.dlq.letters)
		require.Equal(t, 1.0, c.count(outcomeAck))
		require.Equal(t, []bool{true, false}, c.opens)
	})
}

// A shutdown during an outage hands everything back, as canceled, whether it is held or between two attempts.
func TestChainShutdown(t *testing.T) {
	withChain(t, handlerOf(errUnavailable).handle, func(t *testing.T, c *chain) {
		results := make(chan error, 2)
		go func() { _, err := c.run(delivered("retried")); results <- err }()
		synctest.Wait()
		for range 3 {
			c.Record(errUnavailable)
		}
		go func() { _, err := c.run(delivered("held")); results <- err }()
		synctest.Wait()
		began := time.Now()
		close(c.drain)
		require.Equal(t, fault.Canceled, fault.KindOf(<-results))
		require.Equal(t, fault.Canceled, fault.KindOf(<-results))
		require.Zero(t, time.Since(began))
		require.Equal(t, 2.0, c.count(outcomeCanceled))
		require.Empty(t, c.dlq.letters)
	})
}
