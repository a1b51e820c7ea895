package app

import (
	"encoding/json"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func addScores(t *testing.T, client *goredis.Client, board string, scores map[string]float64) {
	t.Helper()
	for user, seconds := range scores {
		require.NoError(t, client.ZAdd(t.Context(), "leaderboard:"+board, goredis.Z{Score: seconds, Member: user}).Err())
	}
}

func TestLeaderboardIsATable(t *testing.T) {
	eachRedis(t, func(t *testing.T, addr string, client *goredis.Client) {
		addScores(t, client, "work:2025-10-14", map[string]float64{
			"김서연": 3600.0000001, "alice": 3600, "björn": 442_985.6, "건": 59.4, "e\x1b[31mvil": 12, "last": 1,
		})
		got := call(t.Context(), nil, "leaderboard", "--date", "2025-10-14", "--top", "5", "--redis.addr", addr)
		require.Equal(t, 0, got.code, got.err)
		require.Equal(t, `work, 2025-10-14

RANK  USER               TIME
   1  björn         123:03:06
   2  alice           1:00:00
   2  김서연          1:00:00
   4  건              0:00:59
   5  e\x1b[31mvil    0:00:12
`, got.out)
	})
}

func TestLeaderboardFindsBoardsInAnyCaseAndPeriod(t *testing.T) {
	eachRedis(t, func(t *testing.T, addr string, client *goredis.Client) {
		for key, user := range map[string]string{
			"System & Utilities:2026-W1": "week", "Development:2026-M1": "month", "total:2025-12-31": "day", "독서:2025-12-31": "own",
		} {
			addScores(t, client, key, map[string]float64{user: 1})
		}
		for _, test := range []struct{ board, period, date, user string }{
			{"system & utilities", "week", "2025-12-29", "week"},
			{"DEVELOPMENT", "month", "2026-01-31", "month"},
			{"Total", "day", "2025-12-31", "day"},
			{"독서", "day", "2025-12-31", "own"},
		} {
			got := call(t.Context(), nil, "leaderboard", test.board, "--period", test.period, "--date", test.date, "--redis.addr", addr)
			require.Equal(t, 0, got.code, got.err)
			require.Contains(t, got.out, "   1  "+test.user)
		}
	})
}

func TestLeaderboardIsOfTodayInTheConfiguredZone(t *testing.T) {
	eachRedis(t, func(t *testing.T, addr string, client *goredis.Client) {
		for _, name := range []string{"Pacific/Kiritimati", "Pacific/Pago_Pago"} { // 25 hours apart: never the same day
			zone, err := time.LoadLocation(name)
			require.NoError(t, err)
			today := time.Now().In(zone).Format(time.DateOnly)
			got := call(t.Context(), nil, "leaderboard", "--pipelines.activity.time_zone", name, "--redis.addr", addr)
			require.Equal(t, 0, got.code, got.err)
			require.Equal(t, "Nobody is on the board work of "+today+".\n", got.out)
		}
	})
}

func TestLeaderboardAsJSON(t *testing.T) {
	eachRedis(t, func(t *testing.T, addr string, client *goredis.Client) {
		addScores(t, client, "Music:2025-W42", map[string]float64{"a<b>\x1b": 1.5, "b": 3})
		ask := []string{"leaderboard", "music", "--period", "week", "--date", "2025-10-14", "--json", "--redis.addr", addr}
		got := call(t.Context(), nil, ask...)
		require.Equal(t, 0, got.code, got.err)
		require.Equal(t, `{"board":"Music","period":"week","label":"2025-W42","standings":[{"rank":1,"user":"b","seconds":3},{"rank":2,"user":"a<b>\u001b","seconds":1.5}]}`+"\n", got.out)
		require.True(t, json.Valid([]byte(got.out)))

		got = call(t.Context(), nil, append(ask, "--user", "b")...)
		require.Equal(t, `{"board":"Music","period":"week","label":"2025-W42","standing":{"rank":1,"user":"b","seconds":3}}`+"\n", got.out)
		got = call(t.Context(), nil, append(ask, "--user", "nobody")...)
		require.Equal(t, 0, got.code, got.err)
		require.Equal(t, `{"board":"Music","period":"week","label":"2025-W42","standing":null}`+"\n", got.out)
		got = call(t.Context(), nil, append(ask, "--date", "2024-01-01")...)
		require.Equal(t, `{"board":"Music","period":"week","label":"2024-W1","standings":[]}`+"\n", got.out)
	})
}

func TestLeaderboardOfOneUser(t *testing.T) {
	eachRedis(t, func(t *testing.T, addr string, client *goredis.Client) {
		addScores(t, client, "work:2025-10-14", map[string]float64{"a": 60, "b": 60, "c": 1})
		ask := []string{"leaderboard", "--date", "2025-10-14", "--redis.addr", addr, "--user"}
		got := call(t.Context(), nil, append(ask, "c")...)
		require.Equal(t, 0, got.code, got.err)
		require.Equal(t, "work, 2025-10-14\n\nRANK  USER     TIME\n   3  c     0:00:01\n", got.out)
		got = call(t.Context(), nil, append(ask, "no\nbody")...)
		require.Equal(t, 0, got.code, got.err)
		require.Equal(t, `no\nbody is not on the board work of 2025-10-14.`+"\n", got.out)
	})
}

func TestLeaderboardSaysWhenBoardsAreNotKept(t *testing.T) {
	eachRedis(t, func(t *testing.T, addr string, _ *goredis.Client) {
		got := call(t.Context(), nil, "leaderboard", "--period", "week", "--pipelines.activity.periods", "day", "--redis.addr", addr)
		require.Equal(t, 0, got.code, got.err)
		require.Contains(t, got.out, "Such boards are not kept: see pipelines.activity.boards and pipelines.activity.periods.")
	})
}

func TestLeaderboardRefusesWrongUsage(t *testing.T) {
	eachRedis(t, func(t *testing.T, addr string, _ *goredis.Client) {
		for _, test := range []struct {
			args []string
			says string
		}{
			{[]string{"Developmnt", "--date", "2025-10-14"}, "there is no board Developmnt in 2025-10-14. Boards: work, total, SNS, Documentation,"},
			{[]string{"--period", "year"}, `--period "year": must be day, week or month`},
			{[]string{"--date", "14.10.2025"}, `--date "14.10.2025": must be a day as yyyy-MM-dd`},
			{[]string{"--top", "0"}, "--top 0: must lie between 1 and 10000"},
			{[]string{"--top", "many"}, "invalid argument"},
			{[]string{"--top", "3", "--user", "a"}, "--user and --top exclude each other"},
			{[]string{"work", "total"}, "accepts at most 1 arg"},
		} {
			got := call(t.Context(), nil, append(append([]string{"leaderboard"}, test.args...), "--redis.addr", addr)...)
			require.Equal(t, 2, got.code, "%v: %s", test.args, got.err)
			require.Contains(t, got.err, test.says)
			require.Empty(t, got.out)
		}
	})
}

func TestLeaderboardNeedsRedis(t *testing.T) {
	withoutRedis(t)
	got := call(t.Context(), nil, "leaderboard")
	require.Equal(t, 2, got.code)
	require.Contains(t, got.err, "redis.addr is not set (REDIS_ADDR")

	got = call(t.Context(), nil, "leaderboard", "--redis.addr", unusedAddr(t))
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "(check redis.addr and the credentials, and that it is running)")
}

func TestLeaderboardReportsAKeyThatIsNoBoard(t *testing.T) {
	eachRedis(t, func(t *testing.T, addr string, client *goredis.Client) {
		require.NoError(t, client.Set(t.Context(), "leaderboard:work:2025-10-14", "x", 0).Err())
		got := call(t.Context(), nil, "leaderboard", "--date", "2025-10-14", "--redis.addr", addr)
		require.Equal(t, 1, got.code)
		require.Contains(t, got.err, "WRONGTYPE")
	})
}
