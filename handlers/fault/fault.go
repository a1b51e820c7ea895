// Package fault is the one vocabulary of errors. Retry, poison, breaker, HTTP status, log fields and metric
// labels all read the kind of an error from here, so that a failure means the same thing everywhere.
package fault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"runtime/debug"
	"time"
)

// Kind says what an error means for the message that met it.
type Kind uint8

const (
	// Internal is a bug, a panic, or anything unclassified: a few retries, then the DLQ.
	Internal Kind = iota
	// Invalid is a message that can never succeed: straight to the DLQ.
	Invalid
	// Unavailable is a dependency that is down, slow or limiting: retried, never dead-lettered.
	Unavailable
	// Canceled is a shutdown: no retry, the message stays in the broker, nothing is logged as an error.
	Canceled
)

// String returns the name that logs, metadata and metric labels carry.
func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case Unavailable:
		return "unavailable"
	case Canceled:
		return "canceled"
	default:
		return "internal"
	}
}

// HTTPStatus returns the status code of a response that failed with this kind.
func (k Kind) HTTPStatus() int {
	switch k {
	case Invalid:
		return 422
	case Unavailable, Canceled:
		return 503
	default:
		return 500
	}
}

// Error is an error with its kind and where it happened. The zero Kind is Internal.
type Error struct {
	Kind  Kind
	Code  string            // one of a small fixed set per package, such as "identity_conflict"; may be empty
	Stage string            // the stage of the chain that failed; empty outside of one
	Notes map[string]string // what operators need to know beside the error; goes into the DLQ metadata
	Stack []byte            // of a recovered panic

	Attempts     int       // how often the message was tried in place; 0 where nobody counted
	FirstFailure time.Time // of these attempts; zero where nobody noted it

	Err error
}

// Error returns the message of the cause; kind, code and stage are for those who ask.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Kind.String() + " error without a cause"
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Invalidf returns an error of kind Invalid. The code names the rule that was broken.
func Invalidf(code, format string, args ...any) error {
	return &Error{Kind: Invalid, Code: code, Err: fmt.Errorf(format, args...)}
}

// Unavailablef returns an error of kind Unavailable.
func Unavailablef(format string, args ...any) error {
	return &Error{Kind: Unavailable, Err: fmt.Errorf(format, args...)}
}

// Internalf returns an error of kind Internal with a code.
func Internalf(code, format string, args ...any) error {
	return &Error{Kind: Internal, Code: code, Err: fmt.Errorf(format, args...)}
}

// Recovered turns the value of a recovered panic into an Internal error that carries the stack of the caller.
func Recovered(value any) error {
	return &Error{Kind: Internal, Code: "panic", Stack: debug.Stack(), Err: fmt.Errorf("panic: %v", value)}
}

// KindOf returns the kind of err. Errors that nobody classified are Internal, except for those whose meaning
// Go itself fixes: a canceled context is Canceled; a missed deadline and a network error are Unavailable.
// KindOf(nil) is Internal; callers ask only about errors.
func KindOf(err error) Kind {
	if fault, ok := errors.AsType[*Error](err); ok {
		return fault.Kind
	}
	if errors.Is(err, context.Canceled) {
		return Canceled
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Unavailable
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return Unavailable
	}
	return Internal
}

// Of returns the details of err: err's own *Error if it has one, else a new one of err's kind. The result is
// a copy that the caller may change.
func Of(err error) Error {
	if fault, ok := errors.AsType[*Error](err); ok {
		detail := *fault
		detail.Err, detail.Notes = err, maps.Clone(fault.Notes)
		return detail
	}
	return Error{Kind: KindOf(err), Err: err}
}
