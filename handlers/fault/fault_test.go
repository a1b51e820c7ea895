package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKindOf(t *testing.T) {
	invalid := Invalidf("missing_field", "userId is missing")
	for name, test := range map[string]struct {
		err  error
		kind Kind
	}{
		"nobody classified it":            {errors.New("unexpected"), Internal},
		"the end of a file":               {io.EOF, Internal},
		"no error":                        {nil, Internal},
		"invalid":                         {invalid, Invalid},
		"unavailable":                     {Unavailablef("down"), Unavailable},
		"internal":                        {Internalf("wrong_type", "a list"), Internal},
		"a zero Error":                    {&Error{}, Internal},
		"wrapped":                         {fmt.Errorf("decode: %w", invalid), Invalid},
		"joined":                          {errors.Join(errors.New("first"), invalid), Invalid},
		"the outermost kind wins":         {Unavailablef("publish: %w", invalid), Unavailable},
		"a canceled context":              {fmt.Errorf("insert: %w", context.Canceled), Canceled},
		"a missed deadline":               {fmt.Errorf("insert: %w", context.DeadlineExceeded), Unavailable},
		"a deadline of a file or socket":  {os.ErrDeadlineExceeded, Unavailable},
		"a network error":                 {&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}, Unavailable},
		"an unknown host":                 {&net.DNSError{Err: "no such host", Name: "redis"}, Unavailable},
		"a canceled context, classified":  {Unavailablef("the pool closed: %w", context.Canceled), Unavailable},
		"a network error, classified":     {Invalidf("code", "fetch: %w", &net.OpError{Op: "dial", Err: io.EOF}), Invalid},
		"a kind of its own within others": {fmt.Errorf("a: %w", fmt.Errorf("b: %w", Internalf("bug", "c"))), Internal},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.kind, KindOf(test.err)) })
	}
}

// The names and status codes are what dashboards, dead letters and HTTP clients rely on.
func TestKindNames(t *testing.T) {
	for kind, want := range map[Kind]struct {
		name   string
		status int
	}{
		Internal: {"internal", 500}, Invalid: {"invalid", 422}, Unavailable: {"unavailable", 503}, Canceled: {"canceled", 503},
	} {
		require.Equal(t, want.name, kind.String())
		require.Equal(t, want.status, kind.HTTPStatus())
	}
}

func TestErrorText(t *testing.T) {
	require.EqualError(t, Invalidf("missing_field", "%s is missing", "userId"), "userId is missing")
	require.EqualError(t, &Error{Kind: Canceled}, "canceled error without a cause")
}

// Of gives a copy with the whole text: what is done to it does not reach the error.
func TestOf(t *testing.T) {
	cause := &Error{Kind: Invalid, Code: "code", Stage: "decode", Notes: map[string]string{"a": "1"}, Err: errors.New("cause")}
	wrapped := fmt.Errorf("wrapped: %w", cause)
	detail := Of(wrapped)
	require.Equal(t, Error{Kind: Invalid, Code: "code", Stage: "decode", Notes: map[string]string{"a": "1"}, Err: wrapped}, detail)
	detail.Notes["b"], detail.Stage = "2", "other"
	require.Equal(t, map[string]string{"a": "1"}, cause.Notes)
	require.Equal(t, "decode", cause.Stage)
	require.ErrorIs(t, &detail, cause)

	require.Equal(t, Error{Kind: Canceled, Err: context.Canceled}, Of(context.Canceled))
}

func TestRecovered(t *testing.T) {
	var err error
	func() {
		defer func() { err = Recovered(recover()) }()
		panic(errors.New("index out of range"))
	}()
	detail := Of(err)
	require.Equal(t, Internal, detail.Kind)
	require.Equal(t, "panic", detail.Code)
	require.EqualError(t, err, "panic: index out of range")
	require.Contains(t, string(detail.Stack), "TestRecovered", "the stack leads to where it happened")
}
