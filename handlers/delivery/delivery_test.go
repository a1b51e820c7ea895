package delivery

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

func TestParsePosition(t *testing.T) {
	for text, want := range map[string]Position{
		"1760421032500-3":      {1760421032500, 3}, // an entry id of Redis
		"42":                   {42, 0},            // an offset of Kafka
		"0-1":                  {0, 1},
		"18446744073709551615": {math.MaxUint64, 0},
	} {
		got, err := ParsePosition(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "-", "1-", "-1", "1-2-3", " 1", "1 ", "+1", "0x1", "1_0", "1.5", "*", "18446744073709551616", "1-18446744073709551616"} {
		_, err := ParsePosition(text)
		require.ErrorContains(t, err, "is not N or N-M", text)
	}
}

// positions has the edges, and a random crowd between them.
func positions() []Position {
	random := rand.New(rand.NewPCG(1, 2))
	edges := []uint64{0, 1, 9, 10, 15, 16, math.MaxUint32, 1_760_421_032_500, math.MaxUint64 - 1, math.MaxUint64}
	var list []Position
	for _, major := range edges {
		for _, minor := range edges {
			list = append(list, Position{major, minor})
		}
	}
	for range 100 {
		list = append(list, Position{random.Uint64() >> random.IntN(64), random.Uint64() >> random.IntN(64)})
	}
	return list
}

// The order of keys as text is the order of positions: stores and Redis compare them without knowing what they are.
func TestKeyOrder(t *testing.T) {
	all := positions()
	for _, p := range all {
		for _, q := range all {
			require.Equal(t, p.Less(q), p.Key() < q.Key(), "%v and %v", p, q)
			require.Equal(t, p == q, p.Key() == q.Key(), "%v and %v", p, q)
		}
	}
}

func TestKey(t *testing.T) {
	require.Equal(t, "00000001760421035540-00000000000000000003", Position{1760421035540, 3}.Key())
	require.Empty(t, Position{}.Key(), "no position sorts before all others")
}

func TestRoundTrips(t *testing.T) {
	for _, p := range positions() {
		got, err := ParsePosition(p.String())
		require.NoError(t, err)
		require.Equal(t, p, got)
		got, err = ParseKey(p.Key())
		require.NoError(t, err)
		require.Equal(t, p, got)
	}
}

// Nothing lies between a position and the next one.
func TestNext(t *testing.T) {
	all := positions()
	slices.SortFunc(all, func(p, q Position) int {
		return cmp.Or(cmp.Compare(p.Major, q.Major), cmp.Compare(p.Minor, q.Minor))
	})
	for n, p := range slices.Compact(all[:len(all)-1]) {
		require.True(t, p.Less(p.Next()), "%v", p)
		require.False(t, all[n+1].Less(p.Next()) && p.Less(all[n+1]), "%v lies between %v and its next", all[n+1], p)
	}
	require.Equal(t, Position{1, 6}, Position{1, 5}.Next())
	require.Equal(t, Position{2, 0}, Position{1, math.MaxUint64}.Next())
	last := Position{math.MaxUint64, math.MaxUint64}
	require.Equal(t, last, last.Next())
}

func FuzzParsePosition(f *testing.F) {
	for _, text := range []string{"1760421032500-3", "42", "007", "", "-", "1-2-3"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePosition(text)
		if err != nil {
			require.Zero(t, p)
			return
		}
		again, err := ParsePosition(p.String())
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}

// What ParseKey accepts is what Key writes, to the letter: a key in another form would sort in another place.
func FuzzParseKey(f *testing.F) {
	key := Position{1760421032500, 11}.Key()
	for _, text := range []string{"", key, strings.ToUpper(key), key[1:], key + "0", strings.Replace(key, "-", "_", 1), Position{0, 1}.Key(), "00000000000000000000-00000000000000000000"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseKey(text)
		if err != nil {
			require.Zero(t, p)
			return
		}
		require.Equal(t, text, p.Key())
	})
}

func TestOf(t *testing.T) {
	for name, test := range map[string]struct {
		metadata message.Metadata
		want     Info
	}{
		"a backend that tells all": {
			message.Metadata{KeySource: "stream", KeyPosition: "1760421032500-3", KeyDeliveries: "4", KeyPublishedAt: "1760421032500"},
			Info{"stream", Position{1760421032500, 3}, 4, time.UnixMilli(1760421032500)},
		},
		"a backend that tells nothing":         {nil, Info{Deliveries: 1}},
		"a source alone":                       {message.Metadata{KeySource: "topic"}, Info{Source: "topic", Deliveries: 1}},
		"a position alone":                     {message.Metadata{KeyPosition: "7"}, Info{Position: Position{7, 0}, Deliveries: 1}},
		"values that do not parse":             {message.Metadata{KeySource: "s", KeyPosition: "?", KeyDeliveries: "?", KeyPublishedAt: "?"}, Info{Source: "s", Deliveries: 1}},
		"a message is delivered at least once": {message.Metadata{KeyDeliveries: "0"}, Info{Deliveries: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			msg := message.NewMessage("", nil)
			msg.Metadata = test.metadata
			info := Of(msg)
			require.Equal(t, test.want, info)
		})
	}
}

func BenchmarkKey(b *testing.B) {
	b.ReportAllocs()
	p := Position{1760421032500, 3}
	for b.Loop() {
		_ = p.Key()
	}
}
