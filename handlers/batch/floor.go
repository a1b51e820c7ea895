package batch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"leat/handlers/delivery"
)

// Floors carries the ack floors of a topic from the broker to where the effects of a pipeline are kept, so that
// markers below them can be forgotten.
type Floors struct {
	Every time.Duration
	// Read returns the position of each source below which everything is acked.
	Read func(ctx context.Context) (map[string]delivery.Position, error)
	// Raise moves the kept floor of a source up; a lower one changes nothing.
	Raise func(ctx context.Context, source string, floor delivery.Position) error
	// Withdraw takes back what this process said of a source.
	Withdraw func(ctx context.Context, source string) error
	Logger   *slog.Logger
}

// Move moves the floors once; a source that fails does not hold the others back. It must have succeeded before the first message is read, for from then on what this process
// said last holds the kept floor below whatever it has in hand.
func (f Floors) Move(ctx context.Context) error {
	floors, err := f.Read(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for source, floor := range floors {
		if err := f.Raise(ctx, source, floor); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", source, err))
		}
	}
	return errors.Join(failed...)
}

// Leave takes back what this process said, once it has nothing in hand. A failure only means that it counts for a while
// longer.
func (f Floors) Leave(ctx context.Context) {
	floors, err := f.Read(ctx)
	for source := range floors {
		err = errors.Join(err, f.Withdraw(ctx, source))
	}
	if err != nil {
		f.Logger.Debug("ack floor not left", "error", err)
	}
}

// Run moves the floors until the context ends. A failure is retried at the next tick; while it lasts, markers are kept for
// longer than they need to be. It is logged at debug level, for in an outage others say it better.
func (f Floors) Run(ctx context.Context) {
	tick := time.NewTicker(f.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := f.Move(ctx); err != nil && ctx.Err() == nil {
			f.Logger.Debug("ack floor not moved", "error", err)
		}
	}
}
