package boardstest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/delivery"
)

var floorCases = map[string]func(*testing.T, Store){
	"an event below the floor is counted for ever":             belowFloor,
	"an event at the floor is not below it":                    atFloor,
	"the floor only rises":                                     onlyRises,
	"the floor is seen by the other handle":                    floorOfOther,
	"the floor does not pass what another process has in hand": lowestReport,
	"the zero position is no floor":                            zeroFloor,
	"positions compare as numbers, and not as texts":           floorIsNumeric,
	"positions that are times":                                 timesAsPositions,
}

func belowFloor(t *testing.T, store Store) {
	requireNew(t, store, count("u1", 5, on(total), 1))
	require.NoError(t, store.RaiseFloor(timeout(t), source, position(50)))
	require.Equal(t, [][]int{{0}}, apply(t, store, count("u1", 5, on(total), 1)), "its marker is gone, the floor speaks for it")
	require.Equal(t, [][]int{{0}}, apply(t, store, count("u1", 5, on(total), 2)), "the floor speaks for all below it")
	requireSeconds(t, store, total, "u1", 5)
}

func atFloor(t *testing.T, store Store) {
	requireNew(t, store, count("u1", 5, on(total), 10))
	for n := 8; n <= 10; n++ { // positions 8 to 11 are of one millisecond
		require.NoError(t, store.RaiseFloor(timeout(t), source, position(n)))
		require.Equal(t, [][]int{{0}}, apply(t, store, count("u1", 5, on(total), 10)), "the marker of an event at or above the floor stays")
	}
	requireNew(t, store, count("u1", 5, on(total), 11))
	require.NoError(t, store.RaiseFloor(timeout(t), source, position(12)))
	require.Equal(t, [][]int{{0, 1, 2}}, apply(t, store, count("u1", 5, on(total), 9, 10, 11)))
	requireNew(t, store, count("u1", 5, on(total), 12))
}

func onlyRises(t *testing.T, store Store) {
	require.NoError(t, store.RaiseFloor(timeout(t), source, position(20)))
	require.NoError(t, store.RaiseFloor(timeout(t), source, position(10)))
	require.NoError(t, store.RaiseFloor(timeout(t), source, position(20)))
	require.Equal(t, [][]int{{0}}, apply(t, store, count("u1", 5, on(total), 15)))
	requireNew(t, store, count("u1", 5, on(total), 20))
}

func floorOfOther(t *testing.T, store Store) {
	require.NoError(t, store.RaiseFloor(timeout(t), source, position(20)))
	require.Equal(t, [][]int{{0}}, apply(t, store.Other, count("u1", 5, on(total), 1)))
}

// The broker may forget an entry that a worker still has in hand: a stream that is deleted or trimmed does.
func lowestReport(t *testing.T, store Store) {
	require.NoError(t, store.Other.RaiseFloor(timeout(t), source, position(10)))
	require.NoError(t, store.RaiseFloor(timeout(t), source, position(50)))
	requireNew(t, store.Other, count("u1", 5, on(total), 10))
	require.Equal(t, [][]int{{0}}, apply(t, store, count("u1", 5, on(total), 9)), "nobody has it in hand")
	require.NoError(t, store.Other.RaiseFloor(timeout(t), source, position(60)))
	require.NoError(t, store.RaiseFloor(timeout(t), source, position(50)))
	require.Equal(t, [][]int{{0}}, apply(t, store, count("u1", 5, on(total), 40)))
	requireSeconds(t, store, total, "u1", 5)

	require.NoError(t, store.Other.WithdrawFloor(timeout(t), source))
	require.NoError(t, store.RaiseFloor(timeout(t), source, position(80)))
	require.Equal(t, [][]int{{0}}, apply(t, store, count("u1", 5, on(total), 70)), "a process that stopped holds nothing")
}

func zeroFloor(t *testing.T, store Store) {
	requireNew(t, store, count("u1", 5, on(total), 1))
	require.NoError(t, store.RaiseFloor(timeout(t), source, delivery.Position{}))
	require.Equal(t, [][]int{{0}}, apply(t, store, count("u1", 5, on(total), 1)))
	requireNew(t, store, count("u1", 5, on(total), 2))
}

func floorIsNumeric(t *testing.T, store Store) {
	c := count("u1", 5, on(total), 1)
	c.Markers[0].Position = delivery.Position{Major: 9, Minor: 9}
	require.NoError(t, store.RaiseFloor(timeout(t), source, delivery.Position{Major: 10}))
	require.Equal(t, [][]int{{0}}, apply(t, store, c))
	c.Markers[0].Position = delivery.Position{Major: 10, Minor: 10}
	require.NoError(t, store.RaiseFloor(timeout(t), source, delivery.Position{Major: 10, Minor: 9}))
	requireNew(t, store, c)
}

// Where a broker knows no positions, they are the milliseconds in which messages arrived, and the floor is a time.
func timesAsPositions(t *testing.T, store Store) {
	arrived := time.Date(2025, 10, 14, 9, 23, 52, 500_000_000, time.UTC)
	at := func(after time.Duration) delivery.Position {
		return delivery.Position{Major: uint64(arrived.Add(after).UnixMilli())}
	}
	event := func(n int, after time.Duration) activity.Count {
		c := count("u1", 1, on(total), n)
		c.Markers[0].Position = at(after)
		return c
	}
	requireNew(t, store, event(1, 0), event(2, 0), event(3, time.Millisecond), event(4, time.Hour))
	require.Equal(t, [][]int{{0}, nil}, apply(t, store.Other, event(1, 0), event(5, 0)), "of two that arrived together, one is new")
	require.Equal(t, [][]int{{0}}, apply(t, store, event(2, 2*time.Hour)), "a duplicate is known, whenever it arrives")

	require.NoError(t, store.RaiseFloor(timeout(t), source, at(time.Millisecond)))
	require.Equal(t, [][]int{{0}}, apply(t, store, event(6, 0)), "it arrived before the window")
	require.Equal(t, [][]int{{0}, {0}, nil}, apply(t, store, event(3, time.Millisecond), event(4, time.Minute), event(7, time.Millisecond)))
	requireNew(t, store, event(2, 2*time.Hour)) // no duplicate is recognised when the window is over
	requireSeconds(t, store, total, "u1", 7)
}
