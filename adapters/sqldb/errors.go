package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"leat/handlers/fault"
)

// fail gives an error of an operation its kind; nil stays nil. What the context ended is canceled or unavailable,
// however the driver words it.
func (s *Store) fail(ctx context.Context, operation string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return fmt.Errorf("store: %s: %w", operation, err)
	}
	switch ended := ctx.Err(); {
	case errors.Is(ended, context.Canceled):
		return fmt.Errorf("store: %s: %w", operation, ended)
	case ended != nil:
		return fault.Unavailablef("store: %s: took too long: %w", operation, err)
	case s.closed.Load():
		return fault.Unavailablef("store: %s: the store is closed: %w", operation, err)
	}
	err = fmt.Errorf("store: %s: %w", operation, err)
	return &fault.Error{Kind: s.kindOf(err), Err: err}
}

func (s *Store) kindOf(err error) fault.Kind {
	if kind, ok := s.dialect.kind(err); ok {
		return kind
	}
	if lost(err) {
		return fault.Unavailable
	}
	return fault.Internal
}

// lost reports whether the connection broke.
func lost(err error) bool {
	for _, broken := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, context.DeadlineExceeded} {
		if errors.Is(err, broken) {
			return true
		}
	}
	_, network := errors.AsType[net.Error](err)
	return network
}

// atOpen turns what only an operator can mend into an error of kind invalid.
func (s *Store) atOpen(ctx context.Context, operation string, err error, wrong func(error) bool) error {
	if err != nil && ctx.Err() == nil && wrong(err) {
		return fault.Invalidf("store_refused", "store: %s: %w", operation, err)
	}
	return s.fail(ctx, operation, err)
}
