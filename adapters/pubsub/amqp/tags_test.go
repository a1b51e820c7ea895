package amqp

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSettle(t *testing.T) {
	tags := newTags()
	for n, step := range []struct {
		settled []uint64
		upTo    uint64
		single  []uint64
	}{
		{[]uint64{2, 3}, 0, []uint64{2, 3}},
		{[]uint64{1}, 1, nil}, // 2 and 3 are settled: an ack of 3 would be of a tag that the server does not know any more
		{[]uint64{5, 4}, 5, nil},
		{[]uint64{8, 6}, 6, []uint64{8}},
		{[]uint64{7}, 7, nil},
		{nil, 0, nil},
		{[]uint64{9}, 9, nil},
	} {
		upTo, single := tags.settle(step.settled)
		require.Equal(t, step.upTo, upTo, "step %d", n)
		require.ElementsMatch(t, step.single, single, "step %d", n)
	}
	require.Empty(t, tags.above, "nothing is remembered of what is settled")
}

// A model of the server: it ends a channel that acks a tag that it does not know, and an ack up to a tag must not settle
// what nobody asked for.
func TestSettleAgainstServer(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		tags, unacked := newTags(), map[uint64]bool{}
		var open []uint64
		next := uint64(1)
		for len(open) > 0 || next < 100 {
			for range random.IntN(20) {
				open, unacked[next] = append(open, next), true
				next++
			}
			random.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
			n := random.IntN(len(open) + 1)
			batch := append([]uint64(nil), open[:n]...)
			open = open[n:]
			upTo, single := tags.settle(append([]uint64(nil), batch...))
			if upTo > 0 {
				require.True(t, unacked[upTo], "tag %d is not known to the server", upTo)
				for tag := range unacked {
					if tag <= upTo {
						delete(unacked, tag)
					}
				}
			}
			for _, tag := range single {
				require.True(t, unacked[tag], "tag %d is not known to the server", tag)
				delete(unacked, tag)
			}
			require.Len(t, unacked, len(open))
			for _, tag := range open {
				require.True(t, unacked[tag], "tag %d was settled by nobody", tag)
			}
		}
	}
}
