package app

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"leat/config"
	"leat/handlers/activity"
)

// live prints a line at each interval: throughput, lag, and the top of today's work board.
func (p *program) live(ctx context.Context, cfg *config.Config, out io.Writer, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	zone, err := time.LoadLocation(cfg.Pipelines.Activity.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	before := make([]int64, len(p.pipelines))
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		for n, pipeline := range p.pipelines {
			handled := pipeline.observer.handled.Load()
			rate := float64(handled-before[n]) / every.Seconds()
			before[n] = handled
			fmt.Fprintf(out, "%s  %s %5.0f/s, %s, done %d%s\n", now.Format(time.TimeOnly), pipeline.name, rate,
				pipeline.lag, handled, p.topLine(ctx, now.In(zone)))
		}
	}
}

// String is what the live line says of the lag.
func (w *lagWatch) String() string {
	lag := w.last.Load()
	switch {
	case lag == nil:
		return "waiting ?"
	case lag.Waiting < 0:
		return fmt.Sprintf("waiting ?, in flight %d", lag.Pending)
	default:
		return fmt.Sprintf("waiting %d, in flight %d", lag.Waiting, lag.Pending)
	}
}

func (p *program) topLine(ctx context.Context, now time.Time) string {
	board := activity.BoardKey{Board: activity.BoardWork, Period: activity.Day.Label(now)}
	standings, err := p.boards.Top(ctx, board, 3)
	if err != nil || len(standings) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(" | work today:")
	for _, s := range standings {
		fmt.Fprintf(&b, "  %d. %s %s", s.Rank, visible(s.User), time.Duration(s.Seconds*float64(time.Second)).Round(time.Second))
	}
	return b.String()
}
