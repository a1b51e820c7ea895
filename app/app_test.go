package app

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"leat/config"
)

func TestEverybodyWhoWaitsForSomebodyWaitsLonger(t *testing.T) {
	for _, total := range []time.Duration{time.Second, 25 * time.Second, time.Hour} {
		b := shareOut(total)
		require.Less(t, b.drain, b.router)
		require.LessOrEqual(t, b.router+b.engine, b.total)
	}
}

// TestTheProgramStartsAndStops runs the whole program twice on one file, because a second start finds what the first left.
func TestTheProgramStartsAndStops(t *testing.T) {
	server := miniredis.RunT(t)
	cfg := config.Default()
	cfg.Redis.Addr = server.Addr()
	cfg.Store.URI = "sqlite:" + filepath.Join(t.TempDir(), "leat.db")
	cfg.HTTP.Addr = "127.0.0.1:0"
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	for range 2 {
		program, err := assemble(t.Context(), cfg, logger, false)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		err = program.run(ctx, func(context.Context) {
			_, err := server.XAdd("pomodoro_pattern_match_stream", "*", []string{"userId", "u", "app", "Code", "duration", "1"})
			require.NoError(t, err)
			require.Eventually(t, func() bool { return program.pipelines[0].observer.handled.Load() == 1 }, 10*time.Second, 10*time.Millisecond)
			stop()
		})
		require.NoError(t, err)
	}
}
