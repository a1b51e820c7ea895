// Package boardstest is the conformance suite of the port activity.Boards: what every implementation must do, one case each.
package boardstest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/delivery"
)

// Store is a set of boards without any content, and two handles on it, as two processes would have them.
type Store struct {
	activity.Boards
	Other activity.Boards
}

// Run runs every case on a store of its own. open registers what it must clean up with t.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for group, cases := range map[string]map[string]func(*testing.T, Store){
		"apply": applyCases, "floor": floorCases, "ranking": rankingCases,
	} {
		for name, run := range cases {
			t.Run(group+"/"+name, func(t *testing.T) { run(t, open(t)) })
		}
	}
}

// source is where the messages of the cases come from.
const source = "pomodoro_pattern_match_stream"

var (
	total = activity.BoardKey{Board: activity.BoardTotal, Period: "2025-10-14"}
	work  = activity.BoardKey{Board: activity.BoardWork, Period: "2025-10-14"}
	video = activity.BoardKey{Board: "Video Editing", Period: "2025-W42"}
)

// marker is the one of event n, whose position grows with n.
func marker(n int) activity.Marker {
	return activity.Marker{ID: activity.Content{App: fmt.Sprint(n)}.ID(), Source: source, Position: position(n)}
}

// position is a place among several entries of one millisecond.
func position(n int) delivery.Position {
	return delivery.Position{Major: 1_760_421_032_500 + uint64(n/4), Minor: uint64(n % 4)}
}

// count adds seconds of a user to boards on behalf of events.
func count(user string, seconds float64, boards []activity.BoardKey, events ...int) activity.Count {
	c := activity.Count{}
	for _, n := range events {
		c.Markers = append(c.Markers, marker(n))
	}
	for _, key := range boards {
		c.Boards = append(c.Boards, activity.BoardCount{Board: key, Scores: []activity.Score{{User: user, Seconds: seconds}}})
	}
	return c
}

func on(boards ...activity.BoardKey) []activity.BoardKey { return boards }

// apply applies counts and returns what was counted already, one list a count, nil where there is none.
func apply(t *testing.T, boards activity.Boards, counts ...activity.Count) [][]int {
	t.Helper()
	counted, err := boards.Apply(timeout(t), counts)
	require.NoError(t, err)
	require.Len(t, counted, len(counts), "one list for each count")
	for n, list := range counted {
		if len(list) == 0 {
			counted[n] = nil
		}
	}
	return counted
}

// requireNew requires that all counts were carried out.
func requireNew(t *testing.T, boards activity.Boards, counts ...activity.Count) {
	t.Helper()
	require.Equal(t, make([][]int, len(counts)), apply(t, boards, counts...))
}

func requireSeconds(t *testing.T, boards activity.Boards, board activity.BoardKey, user string, seconds float64) {
	t.Helper()
	standing, ok, err := boards.Rank(timeout(t), board, user)
	require.NoError(t, err)
	require.Equal(t, seconds != 0, ok, "%s on %v", user, board)
	require.Equal(t, seconds, standing.Seconds, "%s on %v", user, board)
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
