package middleware

import (
	"context"
	"errors"
	"time"

	"leat/handlers/fault"
)

// ErrDraining is returned for messages that were waiting when the program began to stop. It is of kind canceled:
// they stay in the broker.
var ErrDraining error = &fault.Error{Kind: fault.Canceled, Err: errors.New("stopping: the message stays in the broker")}

// sleep waits for d. It returns early with ErrDraining when draining closes, or when the context ends.
func sleep(ctx context.Context, d time.Duration, draining <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-draining:
		return ErrDraining
	case <-ctx.Done():
		return &fault.Error{Kind: fault.Canceled, Err: context.Cause(ctx)}
	}
}
