package boardstest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
)

var rankingCases = map[string]func(*testing.T, Store){
	"an empty board":                                emptyBoard,
	"higher scores first, ties by user":             competition,
	"fewer rows than there are":                     cutInTies,
	"sums that differ in their last digits tie":     floatNoise,
	"scores that lie between two milliseconds":      halfMilliseconds,
	"a rank among many":                             amongMany,
	"no rows":                                       noRows,
	"the best of a large tie are the first by name": largeTie,
}

// fill gives users scores on the board total.
func fill(t *testing.T, store Store, scores map[string]float64) {
	t.Helper()
	c := activity.Count{Boards: []activity.BoardCount{{Board: total}}}
	for user, seconds := range scores {
		c.Boards[0].Scores = append(c.Boards[0].Scores, activity.Score{User: user, Seconds: seconds})
	}
	requireNew(t, store, c)
}

func top(t *testing.T, store Store, n int) []activity.Standing {
	t.Helper()
	standings, err := store.Top(timeout(t), total, n)
	require.NoError(t, err)
	users := map[string]bool{}
	for _, want := range standings { // Rank and Top never contradict each other
		require.False(t, users[want.User], "%s is listed twice", want.User)
		users[want.User] = true
		standing, ok, err := store.Rank(timeout(t), total, want.User)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, want, standing)
	}
	return standings
}

func emptyBoard(t *testing.T, store Store) {
	require.Empty(t, top(t, store, 10))
	_, ok, err := store.Rank(timeout(t), total, "u1")
	require.NoError(t, err)
	require.False(t, ok)
}

func competition(t *testing.T, store Store) {
	fill(t, store, map[string]float64{"eve": 10, "bob": 20, "ann": 20, "dan": 30, "cid": 20})
	require.Equal(t, []activity.Standing{
		{Rank: 1, User: "dan", Seconds: 30},
		{Rank: 2, User: "ann", Seconds: 20}, {Rank: 2, User: "bob", Seconds: 20}, {Rank: 2, User: "cid", Seconds: 20},
		{Rank: 5, User: "eve", Seconds: 10},
	}, top(t, store, 10))
}

func cutInTies(t *testing.T, store Store) {
	fill(t, store, map[string]float64{"eve": 10, "bob": 20, "ann": 20, "dan": 30, "cid": 20})
	for n, users := range [][]string{{}, {"dan"}, {"dan", "ann"}, {"dan", "ann", "bob"}, {"dan", "ann", "bob", "cid"}, {"dan", "ann", "bob", "cid", "eve"}} {
		got := []string{}
		for _, standing := range top(t, store, n) {
			got = append(got, standing.User)
		}
		require.Equal(t, users, got, "top %d", n)
	}
}

func floatNoise(t *testing.T, store Store) {
	for range 3 {
		fill(t, store, map[string]float64{"ann": 0.1}) // 0.30000000000000004
	}
	fill(t, store, map[string]float64{"bob": 0.3, "cid": 0.29999999999999993, "dan": 0.301, "eve": 0.299})
	require.Equal(t, []activity.Standing{
		{Rank: 1, User: "dan", Seconds: 0.301},
		{Rank: 2, User: "ann", Seconds: 0.3}, {Rank: 2, User: "bob", Seconds: 0.3}, {Rank: 2, User: "cid", Seconds: 0.3},
		{Rank: 5, User: "eve", Seconds: 0.299},
	}, top(t, store, 10))
	require.Len(t, top(t, store, 2), 2)
}

func halfMilliseconds(t *testing.T, store Store) {
	scores := map[string]float64{}
	for n := range 400 { // 12.0000, 12.0005, 12.0010, …: each rounds to one side or the other, for both readers alike
		scores[fmt.Sprintf("u%03d", n)] = 12 + float64(n)/2000
	}
	fill(t, store, scores)
	for _, n := range []int{1, 2, 3, 200, 400} {
		require.Len(t, top(t, store, n), n)
	}
}

func amongMany(t *testing.T, store Store) {
	scores := map[string]float64{}
	for n := range 1000 {
		scores[fmt.Sprint("u", n)] = float64(n/10 + 1)
	}
	fill(t, store, scores)
	standing, ok, err := store.Rank(timeout(t), total, "u5")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, activity.Standing{Rank: 991, User: "u5", Seconds: 1}, standing)
}

func noRows(t *testing.T, store Store) {
	fill(t, store, map[string]float64{"ann": 1})
	require.Empty(t, top(t, store, 0))
	require.Empty(t, top(t, store, -1))
}

func largeTie(t *testing.T, store Store) {
	scores := map[string]float64{"zoe": 9}
	for n := range 3000 {
		scores[fmt.Sprintf("u%04d", n)] = 7
	}
	fill(t, store, scores)
	require.Equal(t, []activity.Standing{
		{Rank: 1, User: "zoe", Seconds: 9}, {Rank: 2, User: "u0000", Seconds: 7}, {Rank: 2, User: "u0001", Seconds: 7},
	}, top(t, store, 3))
}
