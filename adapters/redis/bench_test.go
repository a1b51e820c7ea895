package redis

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/delivery"
)

// BenchmarkApply tells how long Redis itself is busy with one atomic step: the events that it marks and the scores that
// they add up to. The bounds of a step in the activity pipeline come from here.
func BenchmarkApply(b *testing.B) {
	client := connect(b, startRedis(b))
	boards := NewBoards(client)
	for _, size := range []struct{ events, scores int }{{1, 9}, {45, 400}, {100, 100}, {200, 9}, {250, 400}, {500, 0}, {500, 9}, {500, 400}} {
		b.Run(fmt.Sprintf("events=%d/scores=%d", size.events, size.scores), func(b *testing.B) {
			next := 0
			require.NoError(b, client.FlushDB(b.Context()).Err())
			require.NoError(b, client.ConfigResetStat(b.Context()).Err())
			for b.Loop() {
				count := activity.Count{}
				for range size.events {
					next++
					count.Markers = append(count.Markers, activity.Marker{
						ID: activity.Content{App: strconv.Itoa(next)}.ID(), Source: stream, Position: delivery.Position{Major: uint64(next)},
					})
				}
				for n := range (size.scores + 49) / 50 {
					board := activity.BoardCount{Board: activity.BoardKey{Board: strconv.Itoa(n), Period: "2025-10-14"}}
					for user := range min(50, size.scores) {
						board.Scores = append(board.Scores, activity.Score{User: strconv.Itoa(user), Seconds: 12.5})
					}
					count.Boards = append(count.Boards, board)
				}
				counted, err := boards.Apply(b.Context(), []activity.Count{count})
				require.NoError(b, err)
				require.Empty(b, counted[0])
				if next%5000 < size.events {
					require.NoError(b, client.Del(b.Context(), names{}.markers(stream)).Err())
				}
			}
			for line := range strings.Lines(client.Info(b.Context(), "commandstats").Val()) {
				if _, usec, ok := strings.Cut(line, "cmdstat_evalsha:"); ok {
					_, usec, _ = strings.Cut(usec, "usec_per_call=")
					usec, _, _ = strings.Cut(usec, ",")
					busy, err := strconv.ParseFloat(usec, 64)
					require.NoError(b, err)
					b.ReportMetric(busy, "redis-µs/op")
				}
			}
		})
	}
}
