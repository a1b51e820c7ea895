package inflight

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// outage tells the log once when the broker stops serving a subscription, and once when it is back, whichever of
// the subscription's parts notice.
type outage struct {
	log *slog.Logger

	mu      sync.Mutex
	since   time.Time
	failing map[string]struct{} // parts of the subscription
}

func (o *outage) begin(part string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.failing) == 0 {
		o.since, o.failing = time.Now(), make(map[string]struct{})
		o.log.Warn("the broker does not serve the topic; retrying until it does", "part", part, "error", err)
	}
	o.failing[part] = struct{}{}
}

func (o *outage) end(part string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.failing) == 0 {
		return
	}
	if delete(o.failing, part); len(o.failing) == 0 {
		o.log.Info("the broker serves the topic again", "after", time.Since(o.since).Round(time.Millisecond))
	}
}

// Report says how work ended that the source does on its own, as in Keep, so that the log tells of an outage once, whoever
// notices it. Nil is a success.
func (s *Subscription[E]) Report(part string, err error) {
	if err != nil {
		s.outage.begin(part, err)
	} else {
		s.outage.end(part)
	}
}

// retry calls op until it succeeds or ctx ends, and returns the last error. It waits longer after each failure.
func (o *outage) retry(ctx context.Context, part string, op func() error) error {
	for failures := 0; ; failures++ {
		err := op()
		if err == nil {
			o.end(part)
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		o.begin(part, err)
		if sleep(ctx, retryDelay(failures)) != nil {
			return err
		}
	}
}

// retryDelay grows from about 50 ms to about 5 s.
func retryDelay(failures int) time.Duration {
	delay := min(5*time.Second, 50*time.Millisecond<<min(failures, 10))
	return delay/2 + rand.N(delay)/2
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
