package inflight

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

var errDown = fault.Unavailablef("down")

func TestRetryBacksOffAndLogsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logBuffer{}
		o := outage{log: slog.New(slog.NewTextHandler(log, nil))}
		began := time.Now()
		calls := 0
		require.NoError(t, o.retry(t.Context(), "read", func() error {
			if calls++; calls <= 20 {
				return io.ErrUnexpectedEOF
			}
			return nil
		}))
		require.Greater(t, time.Since(began), 30*time.Second)
		require.Less(t, time.Since(began), 2*time.Minute)
		require.Equal(t, 1, log.count("does not serve"))
		require.Equal(t, 1, log.count("serves the topic again"))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, o.retry(ctx, "read", func() error { return io.EOF }), io.EOF)
		require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
	})
}

// Whoever notices it, an outage begins with one line, and ends with one when all parts are served again.
func TestAnOutageIsOfTheWholeSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.put(items("1")...)
		msg := r.receive()
		r.fail("fetch", errDown)
		r.fail("ack", errDown)
		r.Report("keep", errDown)
		msg.Ack()
		r.none(time.Minute)
		require.Equal(t, 1, r.log.count("does not serve"))
		require.Empty(t, r.has())
		r.fail("fetch", nil)
		r.fail("ack", nil)
		r.none(time.Minute)
		require.Equal(t, []string{"ack 1"}, r.has())
		require.Zero(t, r.log.count("serves the topic again"), "one part is not served yet")
		r.Report("keep", nil)
		require.Equal(t, 1, r.log.count("serves the topic again"))
		r.put(items("2")...)
		require.Equal(t, "uuid 2", r.receive().UUID)
	})
}
