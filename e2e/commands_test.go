package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type standing struct {
	Rank    int     `json:"rank"`
	User    string  `json:"user"`
	Seconds float64 `json:"seconds"`
}

type leaderboard struct {
	Board     string     `json:"board"`
	Period    string     `json:"period"`
	Label     string     `json:"label"`
	Standings []standing `json:"standings"`
	Standing  *standing  `json:"standing"`
}

func (w *world) leaderboard(args ...string) leaderboard {
	w.t.Helper()
	r := leat(w.t, w.env(), "", append([]string{"leaderboard", "--json"}, args...)...)
	require.Equal(w.t, 0, r.code, r.err)
	var board leaderboard
	require.NoError(w.t, json.Unmarshal([]byte(r.out), &board), r.out)
	return board
}

// What leat publish sends, a running worker counts, and leat leaderboard shows.
func TestPublishToLeaderboard(t *testing.T) {
	for _, format := range []string{"watermill", "fields"} {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, openSQLite(t))
			worker := w.run()
			line := `{"userId":"%s","app":"Code","title":"main.go","duration":%v,"timestamp":"2025-10-14T12:00:00+09:00","pomodoroUsageLogId":"66f0000000000000000000%02x"}` + "\n"
			input := fmt.Sprintf(line, "b", 90.5, 1) + fmt.Sprintf(line, "a", 30, 2) + "not json\n" + fmt.Sprintf(line, "c", 30, 3) +
				"\n" + fmt.Sprintf(line, "c", -1, 4) + fmt.Sprintf(line, "d", 0.001, 5) + fmt.Sprintf(line, "김하늘", 29.999, 6)
			for range 2 { // the second time, nothing is new
				r := leat(t, w.env(), input, "publish", "activity", "--format", format)
				require.Equal(t, 1, r.code, "wrong lines are told by the exit code")
				require.Contains(t, r.err, ":3:")
				require.Contains(t, r.err, ":6:")
				require.Contains(t, r.out, "published 5")
			}
			w.drained(20 * time.Second)
			require.Empty(t, w.letters(), "wrong lines are not published")
			want := []standing{{1, "b", 90.5}, {2, "a", 30}, {2, "c", 30}, {4, "김하늘", 29.999}, {5, "d", 0.001}}
			board := w.leaderboard("--date", "2025-10-14")
			require.Equal(t, leaderboard{Board: "work", Period: "day", Label: "2025-10-14", Standings: want}, board)
			require.Equal(t, want, w.leaderboard("development", "--period", "week", "--date", "2025-10-19").Standings)
			require.Equal(t, want[:2], w.leaderboard("total", "--period", "month", "--date", "2025-10-01", "--top", "2").Standings)
			require.Equal(t, &want[2], w.leaderboard("--date", "2025-10-14", "--user", "c").Standing)
			require.Nil(t, w.leaderboard("--date", "2025-10-14", "--user", "nobody").Standing)
			require.Equal(t, []standing{}, w.leaderboard("Music", "--date", "2025-10-14").Standings)
			table := leat(t, w.env(), "", "leaderboard", "--date", "2025-10-14")
			require.Equal(t, 0, table.code)
			require.Contains(t, table.out, "0:01:31")
			worker.terminate()
		})
	}
}

func TestPublishUnchecked(t *testing.T) {
	w := newWorld(t, openSQLite(t))
	worker := w.run()
	r := leat(t, w.env(), "{\"userId\":\"u\"}\nnot json\n", "publish", "activity", "--unchecked")
	require.Equal(t, 0, r.code, r.err)
	w.drained(20 * time.Second)
	require.Len(t, w.letters(), 2)
	worker.terminate()
}

// leat health asks the worker beside it. Alive is not ready: ready needs Redis and the store.
func TestHealth(t *testing.T) {
	w := newWorld(t, openSQLite(t))
	worker := w.run("LEAT_REDIS_TIMEOUT=1s")
	health := func(args ...string) result {
		return leat(t, []string{"LEAT_HTTP_ADDR=" + worker.http()}, "", append([]string{"health"}, args...)...)
	}
	require.Equal(t, 0, health().code)
	require.Equal(t, 0, health("--ready").code)
	w.redis.kill()
	require.Equal(t, 0, health().code, "it lives")
	r := health("--ready")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.out+r.err, "redis")
	w.redis.start(t)
	until(t, 20*time.Second, func() bool { return health("--ready").code == 0 }, func() string { return "it is ready again" })
	worker.terminate()
	r = health()
	require.Equal(t, 1, r.code, "nobody is there")
	require.NotEmpty(t, strings.TrimSpace(r.err))
}

// SIGHUP reads the patterns again: what was unknown gets the category that was added, from then on.
func TestHangupReloadsPatterns(t *testing.T) {
	db := openPostgres(t)
	w := newWorld(t, db)
	worker := w.run()
	frob := func(user, category string) *entry {
		return &entry{fields: spring(user, "app", "Frobnicator", "url", "", "title", user), event: new(said(user, func(v *event) {
			v.app, v.url, v.title, v.category = "Frobnicator", "", user, category
		}))}
	}
	before, after := frob("before", "Uncategorized"), frob("after", "Finance")
	w.publish(before)
	w.drained(20 * time.Second)
	_, err := db.(*sqlStore).db.ExecContext(t.Context(), `UPDATE category_pattern SET app_patterns = '["frobnicator"]' WHERE category = 'Finance'`)
	require.NoError(t, err)
	worker.signal(syscall.SIGHUP)
	worker.logged("patterns changed", 1, 10*time.Second)
	w.publish(after)
	w.drained(20 * time.Second)
	worker.terminate()
	w.addsUp([]*entry{before, after})
}
