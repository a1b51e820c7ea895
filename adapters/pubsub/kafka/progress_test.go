package kafka

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func delivered(offsets ...int64) *progress {
	p := newProgress()
	for _, offset := range offsets {
		p.deliver(offset, 7)
	}
	return &p
}

func TestProgress(t *testing.T) {
	p := delivered(10, 11, 15, 16)
	require.EqualValues(t, unknown, p.next, "nothing is done")
	require.EqualValues(t, 10, p.first())
	p.finish(11)
	p.finish(16)
	require.EqualValues(t, unknown, p.next, "the first is not done")
	require.Equal(t, []span{{11, 12}, {16, 17}}, p.spans())
	p.finish(12)
	p.finish(9)
	p.finish(99)
	require.EqualValues(t, unknown, p.next, "offsets that were not handed out count for nothing")
	p.finish(10)
	require.EqualValues(t, 12, p.next)
	require.EqualValues(t, 7, p.epoch)
	require.Equal(t, 2, p.ahead())
	p.finish(15)
	require.EqualValues(t, 17, p.next, "over a gap that the log has")
	require.Zero(t, p.ahead())
	require.Empty(t, p.spans())
}

// A log that was cut delivers offsets once more: what is known of them is of other messages.
func TestProgressGoesBack(t *testing.T) {
	p := delivered(10, 11, 12)
	p.done = []span{{20, 30}}
	p.finish(10)
	require.False(t, p.deliver(5, 8))
	require.EqualValues(t, unknown, p.next)
	require.Equal(t, 1, p.ahead())
	require.False(t, p.did(20))
	p.finish(5)
	require.EqualValues(t, 6, p.next)
}

// In whatever order messages finish, the commit is the end of the prefix that is done, and the spans are the rest of what is done.
func TestProgressAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		p, offsets, done := newProgress(), []int64(nil), map[int64]bool{}
		offset := random.Int64N(5)
		for range 1 + random.IntN(60) {
			p.deliver(offset, 0)
			offsets = append(offsets, offset)
			offset += 1 + random.Int64N(3)
		}
		for _, n := range random.Perm(len(offsets)) {
			p.finish(offsets[n])
			done[offsets[n]] = true
			first := slices.IndexFunc(offsets, func(o int64) bool { return !done[o] })
			want := offsets[len(offsets)-1] + 1
			if first == 0 {
				want = unknown
			} else if first > 0 {
				want = offsets[first-1] + 1
			}
			require.Equal(t, want, p.next)
			next := newProgress() // the next owner, from the commit and its spans
			next.done = parseSpans(p.first(), formatSpans(p.first(), p.spans()))
			for _, o := range offsets {
				if o >= p.first() {
					require.Equal(t, done[o], next.did(o), "offset %d", o)
				}
			}
		}
	}
}

// What an earlier owner did and was not read again is passed on.
func TestSpansArePassedOn(t *testing.T) {
	p := newProgress()
	p.done = []span{{3, 5}, {8, 20}, {30, 31}}
	for _, offset := range []int64{2, 3, 4, 5, 8, 9} {
		p.deliver(offset, 0)
		if p.did(offset) {
			p.finish(offset)
		}
	}
	require.Equal(t, []span{{3, 5}, {8, 10}, {10, 20}, {30, 31}}, p.spans())
	require.EqualValues(t, 2, p.first())
}

func TestSpansFindNoRoom(t *testing.T) {
	var spans []span
	for n := range int64(10_000) {
		spans = append(spans, span{1000 + 3*n, 1001 + 3*n})
	}
	text := formatSpans(1000, spans)
	require.LessOrEqual(t, len(text), 4096, "brokers refuse longer metadata")
	read := parseSpans(1000, text)
	require.Greater(t, len(read), 1400)
	require.Equal(t, spans[:len(read)], read)
	require.Empty(t, formatSpans(1, nil))
}

func FuzzParseSpans(f *testing.F) {
	f.Add(int64(0), "leat1:AQI")
	f.Add(int64(9), "watermill")
	f.Add(int64(9), "leat1:gICAgICAgICAgAE")
	f.Add(int64(9), spanMark+strings.Repeat("AQ", 3000))
	f.Fuzz(func(t *testing.T, commit int64, metadata string) {
		if commit < 0 || commit > 1<<50 || len(metadata) > 8000 {
			return
		}
		last := commit
		for _, span := range parseSpans(commit, metadata) {
			require.LessOrEqual(t, last, span.from)
			require.Less(t, span.from, span.to)
			last = span.to
		}
	})
}
