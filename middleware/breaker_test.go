package middleware

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

// rig is a breaker in front of a store that a test switches off and on. Each message is a batch.
type rig struct {
	*Breaker
	drain chan struct{}
	log   logs

	mu      sync.Mutex
	down    bool
	tried   []time.Duration // when messages reached the handler, since the beginning
	opens   []bool          // what the metric was told
	began   time.Time
	pending sync.WaitGroup
	ended   map[error]int
}

// withBreaker runs a test on a breaker that opens after 3 batches and probes after 2 s.
func withBreaker(t *testing.T, maxHold time.Duration, test func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{drain: make(chan struct{}), began: time.Now(), ended: map[error]int{}}
		r.Breaker = NewBreaker(BreakerConfig{Failures: 3, Probe: 2 * time.Second}, maxHold, r.drain, r.log.logger(),
			func(open bool) { r.opens = append(r.opens, open) })
		defer r.Close()
		test(t, r)
		r.pending.Wait()
	})
}

func (r *rig) handle(*message.Message) ([]*message.Message, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried = append(r.tried, time.Since(r.began).Truncate(10*time.Millisecond))
	if r.down {
		r.Record(errUnavailable)
		return nil, errUnavailable
	}
	r.Record(nil)
	return nil, nil
}

func (r *rig) setDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// send hands over messages and returns when they are done or held.
func (r *rig) send(ctx context.Context, n int) {
	for range n {
		r.pending.Go(func() {
			_, err := r.Middleware(r.handle)(messageWith(ctx))
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ended[err]++
		})
		synctest.Wait()
	}
}

// open makes the store fail until the breaker is open. The message whose batch opens it is held.
func (r *rig) open(t *testing.T) {
	r.setDown(true)
	r.send(t.Context(), 3)
	require.Equal(t, map[error]int{errUnavailable: 2}, r.outcomes())
}

// trip opens the breaker while nothing is in flight.
func (r *rig) trip() {
	for range 3 {
		r.Record(errUnavailable)
	}
}

func (r *rig) outcomes() map[error]int {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	ended := r.ended
	r.ended = map[error]int{}
	return ended
}

func (r *rig) tries() []time.Duration {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	tried := r.tried
	r.tried = nil
	return tried
}

// reading reports whether a subscriber would read now.
func (r *rig) reading() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	return r.Wait(ctx) == nil
}

func TestBreakerOpensAfterBatchesInARow(t *testing.T) {
	withBreaker(t, 0, func(t *testing.T, r *rig) {
		for _, err := range []error{errUnavailable, errUnavailable, nil, errUnavailable, errUnavailable} {
			r.Record(err)
			require.True(t, r.reading())
		}
		require.Empty(t, r.opens)
		r.Record(errUnavailable)
		require.False(t, r.reading())
		require.Equal(t, []bool{true}, r.opens)
	})
}

// Before it opens, messages that found the store down go back to the broker; while it is open they are held, no
// message reaches the store, and reading pauses.
func TestBreakerHolds(t *testing.T) {
	withBreaker(t, 0, func(t *testing.T, r *rig) {
		r.open(t)
		r.tries()
		r.send(t.Context(), 5)
		require.Empty(t, r.tries())
		require.Empty(t, r.outcomes())

		require.False(t, r.reading())
		r.setDown(false)
	})
}

// Where nothing is in flight that could be a probe, reading goes on for one.
func TestBreakerReadsAProbe(t *testing.T) {
	withBreaker(t, 0, func(t *testing.T, r *rig) {
		r.trip()
		require.NoError(t, r.Wait(t.Context()))
		require.InDelta(t, 2*time.Second, time.Since(r.began), float64(10*time.Millisecond))
		r.setDown(true)
		r.send(t.Context(), 1)
		require.Len(t, r.tries(), 1)
		require.False(t, r.reading(), "it failed")
		r.setDown(false)
	})
}

// One message at a time tries the store again; the first success lets all others pass.
func TestBreakerProbes(t *testing.T) {
	withBreaker(t, 0, func(t *testing.T, r *rig) {
		r.open(t)
		r.send(t.Context(), 9) // beside the one that is held already
		r.tries()
		time.Sleep(7 * time.Second)
		require.Equal(t, []time.Duration{2 * time.Second, 4 * time.Second, 6 * time.Second}, r.tries())
		require.Empty(t, r.outcomes())

		r.setDown(false)
		time.Sleep(2 * time.Second)
		require.Equal(t, slices.Repeat([]time.Duration{8 * time.Second}, 10), r.tries())
		require.Equal(t, map[error]int{nil: 10}, r.outcomes())
		require.Equal(t, []bool{true, false}, r.opens)
		require.True(t, r.reading())

		r.setDown(true)
		r.send(t.Context(), 2)
		require.Equal(t, map[error]int{errUnavailable: 2}, r.outcomes(), "it counts from the beginning again")
		r.setDown(false)
	})
}

// A probe is alone: while it is at work, however long, no other message tries.
func TestBreakerProbeIsAlone(t *testing.T) {
	withBreaker(t, 0, func(t *testing.T, r *rig) {
		r.trip()
		inside, most := 0, 0
		slow := r.Middleware(func(msg *message.Message) ([]*message.Message, error) {
			r.mu.Lock()
			inside++
			most = max(most, inside)
			r.mu.Unlock()
			time.Sleep(time.Minute)
			r.mu.Lock()
			inside--
			r.mu.Unlock()
			return nil, errInvalid // no batch: it could not be decoded
		})
		var messages sync.WaitGroup
		for range 3 {
			messages.Go(func() { _, _ = slow(messageWith(t.Context())) })
		}
		messages.Wait()
		require.Equal(t, 1, most)
	})
}

// A probe that ends without a batch, even by a panic, leaves the place to the next one.
func TestBreakerProbeWithoutABatch(t *testing.T) {
	withBreaker(t, 0, func(t *testing.T, r *rig) {
		r.trip()
		_, err := r.Middleware(handlerOf(errInvalid).handle)(messageWith(t.Context()))
		require.Equal(t, errInvalid, err)
		require.Panics(t, func() {
			_, _ = r.Middleware(func(*message.Message) ([]*message.Message, error) { panic("bug") })(messageWith(t.Context()))
		})
		r.send(t.Context(), 1)
		require.Equal(t, map[error]int{nil: 1}, r.outcomes())
		require.Equal(t, []bool{true, false}, r.opens)
	})
}

// What a broker lets wait for a limited time only is handed back to it then.
func TestBreakerMaxHold(t *testing.T) {
	withBreaker(t, 3*time.Second, func(t *testing.T, r *rig) {
		r.open(t)
		time.Sleep(time.Second)
		r.send(t.Context(), 1)
		time.Sleep(1900 * time.Millisecond)
		require.Empty(t, r.outcomes())
		time.Sleep(200 * time.Millisecond)
		first := r.outcomes()
		require.Len(t, first, 1, "held since the beginning")
		for err := range first {
			require.Equal(t, fault.Unavailable, fault.KindOf(err))
			require.ErrorContains(t, err, "held for 3s")
		}
		time.Sleep(time.Second)
		require.Len(t, r.outcomes(), 1, "held since it came")
	})
}

// When the program drains, what is held goes back to the broker at once, and nothing is tried any more.
func TestBreakerDrains(t *testing.T) {
	withBreaker(t, 0, func(t *testing.T, r *rig) {
		r.open(t)
		r.send(t.Context(), 3)
		r.tries()
		at := time.Now()
		close(r.drain)
		require.Equal(t, map[error]int{ErrDraining: 4}, r.outcomes())
		require.Zero(t, time.Since(at))

		time.Sleep(3 * time.Second) // a probe would be let through
		for range 20 {
			r.send(t.Context(), 1)
		}
		require.Equal(t, map[error]int{ErrDraining: 20}, r.outcomes())
		require.Empty(t, r.tries())
	})
}

func TestBreakerContext(t *testing.T) {
	withBreaker(t, 0, func(t *testing.T, r *rig) {
		r.open(t)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 2)
		go func() {
			_, err := r.Middleware(r.handle)(messageWith(ctx))
			result <- err
		}()
		go func() { result <- r.Wait(ctx) }()
		synctest.Wait()
		cancel()
		require.Equal(t, fault.Canceled, fault.KindOf(<-result))
		require.Equal(t, fault.Canceled, fault.KindOf(<-result))
		close(r.drain)
	})
}

// What fails for reasons of its own passes through, and says nothing about the store.
func TestBreakerPassesOtherErrors(t *testing.T) {
	withBreaker(t, 0, func(t *testing.T, r *rig) {
		for _, want := range []error{errInvalid, errInternal, errCanceled, nil} {
			for range 10 {
				r.Record(nil)
				_, err := r.Middleware(handlerOf(want).handle)(messageWith(t.Context()))
				require.ErrorIs(t, err, want)
			}
		}
		require.True(t, r.reading())
		require.Empty(t, r.log.lines())
	})
}

// Outcomes of batches that began before it opened change nothing.
func TestBreakerLateOutcomes(t *testing.T) {
	withBreaker(t, 0, func(t *testing.T, r *rig) {
		r.open(t)
		for range 10 {
			r.Record(nil)
			r.Record(errUnavailable)
		}
		require.False(t, r.reading())
		require.Equal(t, []bool{true}, r.opens)
		require.Len(t, r.log.lines(), 1)
		r.setDown(false)
	})
}

// An outage of three and a half minutes is five lines: one when it begins, one a minute, one when it is over.
func TestBreakerLog(t *testing.T) {
	withBreaker(t, 0, func(t *testing.T, r *rig) {
		r.open(t)
		r.send(t.Context(), 20)
		time.Sleep(3*time.Minute + 30*time.Second)
		r.setDown(false)
		time.Sleep(3 * time.Second)
		lines := r.log.lines()
		require.Len(t, lines, 5)
		for n, line := range lines[:4] {
			require.True(t, strings.HasPrefix(line, `level=WARN msg="breaker open: reading pauses, what is in flight is held" error="the store is down"`), line)
			require.Contains(t, line, []string{"open_for=0s", "open_for=1m", "open_for=2m", "open_for=3m"}[n])
			require.Contains(t, line, "next_probe_in=2s")
		}
		require.True(t, strings.HasPrefix(lines[4], `level=INFO msg="breaker closed: reading goes on" open_for=3m3`), lines[4])

		r.trip()
		require.Len(t, r.log.lines(), 6, "the next outage tells at once that it began")
	})
}
