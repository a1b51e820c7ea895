package middleware

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

// All messages of a pipeline share one bucket: after the burst, one passes at a time.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, began := handlerOf(), time.Now()
		throttled := Throttle(ThrottleConfig{Rate: 10, Burst: 5}, nil)(h.handle)
		var messages sync.WaitGroup
		for range 25 {
			messages.Go(func() {
				_, err := throttled(messageWith(t.Context()))
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		require.Equal(t, 5, h.called())
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		require.Equal(t, 15, h.called())
		messages.Wait()
		require.InDelta(t, 2*time.Second, time.Since(began), float64(10*time.Millisecond))
	})
}

func TestNoThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, began := handlerOf(), time.Now()
		free := Throttle(ThrottleConfig{Rate: 0, Burst: 1}, nil)(h.handle)
		for range 1000 {
			_, err := free(messageWith(t.Context()))
			require.NoError(t, err)
		}
		require.Zero(t, time.Since(began))
	})
}

// A message that waits gives up with its context and when the program drains, and leaves its place to others.
func TestThrottleGivesUp(t *testing.T) {
	for name, end := range map[string]func(drain chan struct{}, cancel func()){
		"when the program drains":            func(drain chan struct{}, _ func()) { close(drain) },
		"when the message's context is over": func(_ chan struct{}, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				drain, h, began := make(chan struct{}), handlerOf(), time.Now()
				throttled := Throttle(ThrottleConfig{Rate: 0.1, Burst: 1}, drain)(h.handle)
				_, err := throttled(messageWith(ctx))
				require.NoError(t, err)

				time.AfterFunc(time.Second, func() { end(drain, cancel) })
				_, err = throttled(messageWith(ctx))
				require.Equal(t, fault.Canceled, fault.KindOf(err))
				require.Equal(t, time.Second, time.Since(began))
				require.Equal(t, 1, h.called())
			})
		})
	}
}

func TestThrottleTakesBackItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, began := handlerOf(), time.Now()
		throttled := Throttle(ThrottleConfig{Rate: 0.1, Burst: 1}, nil)(h.handle)
		_, err := throttled(messageWith(t.Context()))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = throttled(messageWith(ctx))
		require.Error(t, err)
		_, err = throttled(messageWith(t.Context()))
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, time.Since(began), "as if the one that gave up had never been there")
	})
}
