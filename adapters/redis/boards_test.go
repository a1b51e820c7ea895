package redis

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/activity/boardstest"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// Each is one way in which Redis is set up: how leat connects, and who may do everything.
var setups = map[string]func(t *testing.T) (Config, redis.UniversalClient){
	"miniredis": func(t *testing.T) (Config, redis.UniversalClient) {
		addr := startMiniredis(t)
		return Config{Addr: addr}, connect(t, addr)
	},
	"standalone, least permissions": func(t *testing.T) (Config, redis.UniversalClient) {
		s := startServer(t)
		return allow(t, Config{Addr: s.addr, DB: 3}, append([]string{"+select"}, leastPermissions...), s), open(t, Config{Addr: s.addr, DB: 3})
	},
	"cluster, least permissions": func(t *testing.T) (Config, redis.UniversalClient) {
		nodes := startCluster(t, 3)
		config := Config{Mode: Cluster, Addr: addrs(nodes)}
		return allow(t, config, append(clusterPermissions, leastPermissions...), nodes...), open(t, config)
	},
	"sentinel": func(t *testing.T) (Config, redis.UniversalClient) {
		r := startReplicated(t)
		return r.config, open(t, r.config)
	},
	"TLS": func(t *testing.T) (Config, redis.UniversalClient) {
		config := startEncrypted(t)
		return config, open(t, config)
	},
}

func TestConformance(t *testing.T) {
	for name, start := range setups {
		t.Run(name, func(t *testing.T) {
			config, admin := start(t)
			require.NoError(t, Check(t.Context(), open(t, config), slog.New(slog.DiscardHandler)))
			boardstest.Run(t, func(t *testing.T) boardstest.Store {
				flush(t, admin)
				return boardstest.Store{Boards: NewBoards(open(t, config)), Other: NewBoards(open(t, config))}
			})
		})
	}
}

// flush removes everything.
func flush(t *testing.T, admin redis.UniversalClient) {
	t.Helper()
	if cluster, ok := admin.(*redis.ClusterClient); ok {
		require.NoError(t, cluster.ForEachMaster(t.Context(), func(ctx context.Context, master *redis.Client) error {
			return master.FlushAll(ctx).Err()
		}))
		return
	}
	require.NoError(t, admin.FlushAll(t.Context()).Err())
}

const stream = "pomodoro_pattern_match_stream"

var total = activity.BoardKey{Board: "total", Period: "2025-10-14"}

// one is a count of one event of user u1 that adds to the boards.
func one(n int, seconds float64, boards ...activity.BoardKey) activity.Count {
	c := activity.Count{Markers: []activity.Marker{{
		ID: activity.Content{App: fmt.Sprint(n)}.ID(), Source: stream, Position: delivery.Position{Major: 1000 + uint64(n), Minor: 1},
	}}}
	for _, board := range boards {
		c.Boards = append(c.Boards, activity.BoardCount{Board: board, Scores: []activity.Score{{User: "u1", Seconds: seconds}}})
	}
	return c
}

// What other programs read: the names and types of the keys.
func TestKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		boards, ctx := NewBoards(client), t.Context()
		_, err := boards.Apply(ctx, []activity.Count{one(1, 12.5, total, activity.BoardKey{Board: "Video Editing", Period: "2025-W42"})})
		require.NoError(t, err)
		require.NoError(t, boards.RaiseFloor(ctx, stream, delivery.Position{Major: 1001}))

		require.ElementsMatch(t, []string{
			"leaderboard:total:2025-10-14", "leaderboard:Video Editing:2025-W42", "leat:activity:counted:" + stream, "leat:activity:floor",
			"leat:activity:reports:" + stream,
		}, keys(t, client))
		require.Equal(t, 12.5, client.ZScore(ctx, "leaderboard:total:2025-10-14", "u1").Val())
		id := one(1, 0).Markers[0].ID
		require.Equal(t, 1001.0, client.ZScore(ctx, "leat:activity:counted:"+stream, string(id[:])).Val())
		require.Equal(t, "00000000000000001001-00000000000000000000", client.HGet(ctx, "leat:activity:floor", stream).Val())
	})
}

// A marker goes when the floor passes it, so that there are about as many as messages in flight.
func TestFloorForgetsMarkers(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		boards, ctx := NewBoards(client), t.Context()
		for n := range 10 {
			_, err := boards.Apply(ctx, []activity.Count{one(n, 1, total)})
			require.NoError(t, err)
		}
		require.NoError(t, boards.RaiseFloor(ctx, stream, delivery.Position{Major: 1007}))
		require.Equal(t, int64(3), client.ZCard(ctx, names{}.markers(stream)).Val())
		require.NoError(t, boards.RaiseFloor(ctx, stream, delivery.Position{Major: 1002}))
		require.Equal(t, "00000000000000001007-00000000000000000000", client.HGet(ctx, names{}.floors(), stream).Val(), "the floor only rises")
		counted, err := boards.Apply(ctx, []activity.Count{one(2, 1, total)})
		require.NoError(t, err)
		require.Equal(t, [][]int{{0}}, counted, "without a marker, the floor knows that it is counted")
		require.Equal(t, time.Duration(-1), client.TTL(ctx, names{}.floors()).Val(), "the floor is kept for ever")
	})
}

// Whatever key is of the wrong type, nothing at all is written, and the error names the key.
func TestWrongTypeWritesNothing(t *testing.T) {
	other := activity.BoardKey{Board: "work", Period: "2025-10-14"}
	onBoth(t, func(t *testing.T, client *redis.Client) {
		for _, wrong := range []string{names{}.board(total), names{}.board(other), names{}.markers(stream), names{}.floors()} {
			t.Run(wrong, func(t *testing.T) {
				ctx := t.Context()
				require.NoError(t, client.FlushDB(ctx).Err())
				require.NoError(t, client.Set(ctx, wrong, "of someone else", 0).Err())
				_, err := NewBoards(client).Apply(ctx, []activity.Count{one(1, 5, total, other)})
				require.ErrorContains(t, err, wrong)
				require.Equal(t, fault.Internal, fault.KindOf(err))
				require.Equal(t, []string{wrong}, keys(t, client))
			})
		}
	})
}

// Events that are counted already are told from the others even where a board cannot be written: they are done.
func TestWrongTypeComesAfterMarkers(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		boards, ctx := NewBoards(client), t.Context()
		_, err := boards.Apply(ctx, []activity.Count{one(1, 5, total)})
		require.NoError(t, err)
		require.NoError(t, client.Set(ctx, names{}.board(total), "of someone else", 0).Err())
		counted, err := boards.Apply(ctx, []activity.Count{one(1, 5, total)})
		require.NoError(t, err)
		require.Equal(t, [][]int{{0}}, counted)
	})
}

func TestExpiry(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		boards, ctx := NewBoards(client), t.Context()
		at := time.Now().Add(90 * 24 * time.Hour).Truncate(time.Millisecond)
		count := one(1, 5, total, activity.BoardKey{Board: "work", Period: "2025-10-14"})
		count.Boards[0].ExpireAt = at
		_, err := boards.Apply(ctx, []activity.Count{count})
		require.NoError(t, err)
		left := client.PTTL(ctx, names{}.board(total)).Val()
		require.InDelta(t, float64(time.Until(at)), float64(left), float64(2*time.Second))
		require.Equal(t, time.Duration(-1), client.PTTL(ctx, names{}.board(count.Boards[1].Board)).Val())
		require.Equal(t, time.Duration(-1), client.PTTL(ctx, names{}.markers(stream)).Val())
	})
}

// A Redis that lost its scripts (restarted, failed over, flushed) gets them again.
func TestScriptFlush(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		boards, ctx := NewBoards(client), t.Context()
		for n := range 3 {
			_, err := boards.Apply(ctx, []activity.Count{one(2*n, 1, total), one(2*n+1, 1, total)})
			require.NoError(t, err)
			require.NoError(t, boards.RaiseFloor(ctx, stream, delivery.Position{Major: uint64(n) + 1}))
			require.NoError(t, client.ScriptFlush(ctx).Err())
		}
		require.Equal(t, 6.0, client.ZScore(ctx, names{}.board(total), "u1").Val())
	})
}

// lowest is the exact edge of what rounds to a millisecond.
func FuzzLowest(f *testing.F) {
	for _, score := range []float64{0, 0.0005, 0.3, 12.0005, 86400, 1e9 + 0.0015} {
		f.Add(score)
	}
	f.Fuzz(func(t *testing.T, score float64) {
		if !(score >= 0 && score < 1e10) { // 300 years of seconds
			t.Skip()
		}
		var low, high float64
		_, err := fmt.Sscan(lowest(millis(score)), &low)
		require.NoError(t, err)
		_, err = fmt.Sscan(lowest(millis(score)+1), &high)
		require.NoError(t, err)
		require.True(t, low <= score && score < high, "%v is in [%v, %v)", score, low, high)
	})
}

// A process that fell silent holds the floor back for a minute, not for ever.
func TestFloorPassesAProcessThatFellSilent(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx := t.Context()
		silent, alive := NewBoards(client), NewBoards(client)
		floor := func() string { return client.HGet(ctx, names{}.floors(), stream).Val() }
		require.NoError(t, silent.RaiseFloor(ctx, stream, delivery.Position{Major: 10}))
		require.NoError(t, alive.RaiseFloor(ctx, stream, delivery.Position{Major: 90}))
		require.Equal(t, delivery.Position{Major: 10}.Key(), floor())

		// Its report is made to have ended, instead of waiting for it.
		require.NoError(t, client.HSet(ctx, names{}.reports(stream), silent.worker, delivery.Position{Major: 10}.Key()+" 1").Err())
		require.NoError(t, alive.RaiseFloor(ctx, stream, delivery.Position{Major: 90}))
		require.Equal(t, delivery.Position{Major: 90}.Key(), floor())
		require.Equal(t, []string{alive.worker}, client.HKeys(ctx, names{}.reports(stream)).Val())
	})
}
