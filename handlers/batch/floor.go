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
	Raise  func(ctx context.Context, source string, floor delivery.Position) error
	Logger *slog.Logger
}

// Run moves the floors until the context ends. A source that fails does not hold the others back. A failure is retried at
// the next tick and only logged at debug level: what makes it fail stops the pipeline itself, which reports it.
func (f Floors) Run(ctx context.Context) {
	tick := time.NewTicker(f.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := f.move(ctx); err != nil && ctx.Err() == nil {
			f.Logger.Debug("ack floor not moved", "error", err)
		}
	}
}

func (f Floors) move(ctx context.Context) error {
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
