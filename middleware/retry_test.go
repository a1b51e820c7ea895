package middleware

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

var (
	errInternal    = fault.Internalf("bug", "a bug")
	errInvalid     = fault.Invalidf("missing_field", "userId is missing")
	errUnavailable = fault.Unavailablef("the store is down")
	errCanceled    = &fault.Error{Kind: fault.Canceled, Err: context.Canceled}
)

// exactly waits 1 s, 2 s, 4 s, 5 s, 5 s, …
var exactly = RetryConfig{Attempts: 4, Initial: time.Second, Max: 5 * time.Second, Multiplier: 2}

func TestRetry(t *testing.T) {
	for name, test := range map[string]struct {
		errs    []error
		calls   int
		took    time.Duration
		kinds   []fault.Kind // of what was retried
		outcome error
	}{
		"success":                          {[]error{nil}, 1, 0, nil, nil},
		"success at last":                  {[]error{errInternal, errUnavailable, nil}, 3, 3 * time.Second, []fault.Kind{fault.Internal, fault.Unavailable}, nil},
		"internal":                         {[]error{errInternal}, 4, 7 * time.Second, []fault.Kind{fault.Internal, fault.Internal, fault.Internal}, errInternal},
		"unavailable":                      {[]error{errUnavailable}, 4, 7 * time.Second, []fault.Kind{fault.Unavailable, fault.Unavailable, fault.Unavailable}, errUnavailable},
		"nobody classified it":             {[]error{errors.New("?"), nil}, 2, time.Second, []fault.Kind{fault.Internal}, nil},
		"invalid is never tried again":     {[]error{errInvalid}, 1, 0, nil, errInvalid},
		"canceled is never tried again":    {[]error{errCanceled}, 1, 0, nil, errCanceled},
		"what turns out invalid ends it":   {[]error{errInternal, errInvalid}, 2, time.Second, []fault.Kind{fault.Internal}, errInvalid},
		"a shutdown that shows up ends it": {[]error{errUnavailable, errCanceled}, 2, time.Second, []fault.Kind{fault.Unavailable}, errCanceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, began := handlerOf(test.errs...), time.Now()
				var kinds []fault.Kind
				_, err := Retry(exactly, nil, func(k fault.Kind) { kinds = append(kinds, k) })(h.handle)(messageWith(t.Context()))
				require.ErrorIs(t, err, test.outcome)
				require.Equal(t, test.calls, h.called())
				require.Equal(t, test.took, time.Since(began))
				require.Equal(t, test.kinds, kinds)
				if err != nil { // poison writes both into the dead letter
					detail := fault.Of(err)
					require.Equal(t, test.calls, detail.Attempts)
					require.Equal(t, began, detail.FirstFailure)
					require.Equal(t, fault.KindOf(test.outcome), detail.Kind)
				}
			})
		})
	}
}

func TestRetryPauses(t *testing.T) {
	for attempt, want := range []time.Duration{1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 5 * time.Second, 100: 5 * time.Second, 5000: 5 * time.Second} {
		if attempt > 0 && want > 0 {
			require.Equal(t, want, exactly.pause(attempt), "after attempt %d", attempt)
		}
	}
	jittery := exactly
	jittery.Jitter = 0.25
	seen := map[time.Duration]bool{}
	for range 100 {
		pause := jittery.pause(2)
		require.GreaterOrEqual(t, pause, 1500*time.Millisecond)
		require.LessOrEqual(t, pause, 2*time.Second)
		seen[pause] = true
	}
	require.Greater(t, len(seen), 50)
}

// Messages that wait for another attempt give up at once, and stay in the broker, whatever their error was.
func TestRetryGivesUp(t *testing.T) {
	for name, end := range map[string]func(drain chan struct{}, cancel func()){
		"when the program drains":            func(drain chan struct{}, _ func()) { close(drain) },
		"when the message's context is over": func(_ chan struct{}, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				drain, h, began := make(chan struct{}), handlerOf(errInternal), time.Now()
				time.AfterFunc(500*time.Millisecond, func() { end(drain, cancel) })
				_, err := Retry(exactly, drain, func(fault.Kind) {})(h.handle)(messageWith(ctx))
				require.Equal(t, fault.Canceled, fault.KindOf(err))
				require.Equal(t, 1, h.called())
				require.Equal(t, 500*time.Millisecond, time.Since(began))
			})
		})
	}
}

func TestRetryConfig(t *testing.T) {
	problems := map[string]string{}
	report := func(key, problem string) { problems[key] = problem }
	exactly.Validate(report)
	require.Empty(t, problems)
	RetryConfig{Initial: time.Second, Max: time.Millisecond}.Validate(report)
	require.Equal(t, map[string]string{"max": "is shorter than initial"}, problems)
}
