package recordstest

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
)

var patternCases = map[string]func(*testing.T, Store){
	"an empty store is filled":       patternsAreSeeded,
	"a store with patterns is left":  seededOnce,
	"of two that fill it both agree": seedingRace,
}

func patterns() []activity.CategoryPatterns {
	return []activity.CategoryPatterns{
		{ID: activity.CategoryID("SNS"), Category: "SNS", Apps: []string{"카카오톡", "discord"}, Domains: []string{"x.com"}, Titles: []string{"💬", `"'\`}},
		{ID: activity.CategoryID("E-commerce & Shopping"), Category: "E-commerce & Shopping", Domains: []string{"coupang.com", "amazon.com"}},
		{ID: activity.CategoryID("Education"), Category: "Education", Apps: []string{"anki", "zotero", "anki"}},
		{ID: activity.CategoryID("afk"), Category: "afk", Apps: []string{noise(4 << 10)}},
		{ID: activity.CategoryID("Uncategorized"), Category: "Uncategorized"},
	}
}

// requirePatterns requires that the store holds these, ordered by category name, byte by byte.
func requirePatterns(t *testing.T, handle Handle, want []activity.CategoryPatterns) {
	t.Helper()
	got, err := handle.Patterns(timeout(t))
	require.NoError(t, err)
	want = slices.Clone(want)
	slices.SortFunc(want, func(a, b activity.CategoryPatterns) int { return strings.Compare(a.Category, b.Category) })
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].ID, got[i].ID)
		require.Equal(t, want[i].Category, got[i].Category)
		for n, lists := range [][2][]string{{want[i].Apps, got[i].Apps}, {want[i].Domains, got[i].Domains}, {want[i].Titles, got[i].Titles}} {
			require.True(t, slices.Equal(lists[0], lists[1]), "%s, list %d: want %q, got %q", want[i].Category, n, lists[0], lists[1])
		}
	}
}

func patternsAreSeeded(t *testing.T, store Store) {
	requirePatterns(t, store.Handle, nil)
	require.NoError(t, store.SeedPatterns(timeout(t), nil))
	requirePatterns(t, store.Handle, nil)
	require.NoError(t, store.SeedPatterns(timeout(t), patterns()))
	requirePatterns(t, store.Handle, patterns())
	requirePatterns(t, store.Other, patterns())
}

func seededOnce(t *testing.T, store Store) {
	mine := patterns()[:1]
	require.NoError(t, store.SeedPatterns(timeout(t), mine))
	others := patterns()
	others[0].Apps = []string{"other"}
	require.NoError(t, store.Other.SeedPatterns(timeout(t), others))
	requirePatterns(t, store.Handle, mine)
}

func seedingRace(t *testing.T, store Store) {
	var wait sync.WaitGroup
	var errs [8]error
	for n := range errs {
		wait.Go(func() {
			errs[n] = []Handle{store.Handle, store.Other}[n%2].SeedPatterns(timeout(t), patterns())
		})
	}
	wait.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	requirePatterns(t, store.Handle, patterns())
}
