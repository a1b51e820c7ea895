package boardstest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/delivery"
)

var applyCases = map[string]func(*testing.T, Store){
	"scores add up":                                      scoresAddUp,
	"no counts are no work":                              noCounts,
	"a count without markers":                            noMarkers,
	"a count without boards is marked":                   noBoards,
	"what is counted is not counted again":               notAgain,
	"one counted event keeps its whole count back":       wholeCount,
	"several counts, some of them counted":               someCounted,
	"an event that is given twice in a count":            twiceInOne,
	"an event that is given in two counts":               twiceInTwo,
	"the other handle sees what is counted":              otherHandle,
	"an identity is of no one source":                    severalSources,
	"events without a position":                          withoutPosition,
	"of two that count the same events exactly one does": race,
	"a count with very many markers":                     manyMarkers,
	"a count with very many scores":                      manyScores,
	"names are kept as they are":                         oddNames,
	"a board that is to be forgotten already":            forgotten,
}

func scoresAddUp(t *testing.T, store Store) {
	requireNew(t, store, count("u1", 12.5, on(total, work), 1), count("u2", 60, on(total, video), 2))
	requireNew(t, store, count("u1", 0.125, on(total), 3))
	requireSeconds(t, store, total, "u1", 12.625)
	requireSeconds(t, store, work, "u1", 12.5)
	requireSeconds(t, store, total, "u2", 60)
	requireSeconds(t, store, video, "u2", 60)
	requireSeconds(t, store, video, "u1", 0)
}

func noCounts(t *testing.T, store Store) {
	require.Empty(t, apply(t, store))
}

func noMarkers(t *testing.T, store Store) {
	requireNew(t, store, count("u1", 5, on(total)))
	requireNew(t, store, count("u1", 5, on(total)))
	requireSeconds(t, store, total, "u1", 10)
}

func noBoards(t *testing.T, store Store) {
	requireNew(t, store, count("u1", 0, nil, 1))
	require.Equal(t, [][]int{{0}}, apply(t, store, count("u1", 5, on(total), 1)))
}

func notAgain(t *testing.T, store Store) {
	requireNew(t, store, count("u1", 5, on(total), 1))
	require.Equal(t, [][]int{{0}}, apply(t, store, count("u1", 5, on(total), 1)))
	requireSeconds(t, store, total, "u1", 5)
}

func wholeCount(t *testing.T, store Store) {
	requireNew(t, store, count("u1", 5, on(total), 2, 4))
	require.Equal(t, [][]int{{1, 3}}, apply(t, store, count("u1", 20, on(total, work), 1, 2, 3, 4)))
	requireSeconds(t, store, total, "u1", 5)
	requireSeconds(t, store, work, "u1", 0)
	requireNew(t, store, count("u1", 10, on(total, work), 1, 3)) // neither of them was marked
	requireSeconds(t, store, total, "u1", 15)
}

func someCounted(t *testing.T, store Store) {
	requireNew(t, store, count("u1", 1, on(total), 2), count("u1", 1, on(total), 5))
	require.Equal(t, [][]int{nil, {0}, nil, {1}}, apply(t, store,
		count("u1", 10, on(total), 1), count("u1", 100, on(total), 2), count("u1", 1000, on(total), 3), count("u1", 10000, on(total), 4, 5)))
	requireSeconds(t, store, total, "u1", 1012)
}

func twiceInOne(t *testing.T, store Store) {
	require.Equal(t, [][]int{{2}}, apply(t, store, count("u1", 15, on(total), 1, 2, 1)))
	requireSeconds(t, store, total, "u1", 0)
	requireNew(t, store, count("u1", 10, on(total), 1, 2))
}

func twiceInTwo(t *testing.T, store Store) {
	require.Equal(t, [][]int{nil, {0}}, apply(t, store, count("u1", 5, on(total), 1), count("u1", 5, on(total), 1)))
	requireSeconds(t, store, total, "u1", 5)
}

func otherHandle(t *testing.T, store Store) {
	requireNew(t, store, count("u1", 5, on(total), 1))
	require.Equal(t, [][]int{{0}}, apply(t, store.Other, count("u1", 5, on(total), 1)))
	requireSeconds(t, store.Other, total, "u1", 5)
}

func severalSources(t *testing.T, store Store) {
	both := count("u1", 5, on(total), 1, 2)
	both.Markers[1].Source = "another_stream"
	requireNew(t, store, both)
	require.Equal(t, [][]int{{0, 1}}, apply(t, store, both))

	// The floor of one source says nothing about the other.
	require.NoError(t, store.RaiseFloor(timeout(t), "another_stream", position(100)))
	requireNew(t, store, count("u1", 5, on(total), 3))
	late := count("u1", 5, on(total), 4)
	late.Markers[0].Source = "another_stream"
	require.Equal(t, [][]int{{0}}, apply(t, store, late))
}

func withoutPosition(t *testing.T, store Store) {
	c := count("u1", 5, on(total), 1)
	c.Markers[0].Source, c.Markers[0].Position = "", delivery.Position{}
	requireNew(t, store, c)
	require.Equal(t, [][]int{{0}}, apply(t, store, c))
}

func race(t *testing.T, store Store) {
	const rounds = 50
	var counted [2]int
	for round := range rounds {
		var both sync.WaitGroup
		for n, handle := range []activity.Boards{store.Boards, store.Other} {
			both.Go(func() {
				answer, err := handle.Apply(timeout(t), []activity.Count{count("u1", 3, on(total, work), 2*round, 2*round+1)})
				if err == nil && len(answer[0]) > 0 {
					counted[n]++
				}
			})
		}
		both.Wait()
		require.Equal(t, round+1, counted[0]+counted[1], "of the two calls, one counts and the other is told")
	}
	requireSeconds(t, store, total, "u1", 3*rounds)
	requireSeconds(t, store, work, "u1", 3*rounds)
}

func manyMarkers(t *testing.T, store Store) {
	events := make([]int, 10_001)
	for n := range events {
		events[n] = n
	}
	requireNew(t, store, count("u1", 5, on(total), events...))
	require.Equal(t, [][]int{events}, apply(t, store, count("u1", 5, on(total), events...)))
	requireSeconds(t, store, total, "u1", 5)
}

func manyScores(t *testing.T, store Store) {
	c := activity.Count{Markers: []activity.Marker{marker(1)}, Boards: []activity.BoardCount{{Board: total}}}
	for n := range 10_000 {
		c.Boards[0].Scores = append(c.Boards[0].Scores, activity.Score{User: fmt.Sprint("u", n), Seconds: 1})
	}
	requireNew(t, store, c)
	top, err := store.Top(timeout(t), total, 20_000)
	require.NoError(t, err)
	require.Len(t, top, 10_000)
}

func oddNames(t *testing.T, store Store) {
	board := activity.BoardKey{Board: "E-commerce & Shopping: {한국어}", Period: "2026-W1"}
	for n, user := range []string{"a b", `"u"`, "사용자", "u:1", "*", "-1", "1e3", "\n"} {
		requireNew(t, store, count(user, float64(n+1), on(board), n))
		requireSeconds(t, store, board, user, float64(n+1))
	}
}

func forgotten(t *testing.T, store Store) {
	c := count("u1", 5, on(total, work), 1)
	c.Boards[0].ExpireAt = time.Now().Add(-time.Hour)
	c.Boards[1].ExpireAt = time.Now().Add(time.Hour)
	requireNew(t, store, c)
	requireSeconds(t, store, total, "u1", 0)
	requireSeconds(t, store, work, "u1", 5)
	require.Equal(t, [][]int{{0}}, apply(t, store, c), "it is counted nevertheless")
}
