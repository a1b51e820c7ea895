package recordstest

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/delivery"
)

var contentCases = map[string]func(*testing.T, Store){
	"what was added is found":                          contentsAreFound,
	"no contents are no work":                          noContents,
	"the first document of a content stands":           firstContentStands,
	"contents that look alike are distinct":            alikeContents,
	"long values":                                      longContents,
	"an id that was given is kept":                     givenID,
	"an id of other content is replaced":               takenID,
	"one id given to two contents":                     sharedID,
	"a producer's document is found by its content":    producersContent,
	"a producer's document gets a category, once":      unclassifiedContent,
	"a document without a category may be added":       addWithoutCategory,
	"a producer leaves empty fields out":               sparseContent,
	"of two that add the same contents one wins":       contentRace,
	"of two that give a category one wins":             categoryRace,
	"many contents in one call":                        manyContents,
	"an id is known under which the producer wrote it": producersID,
}

func add(t *testing.T, handle Handle, data ...activity.CategorizedData) []activity.CategorizedData {
	t.Helper()
	standing, err := handle.AddContents(timeout(t), data)
	require.NoError(t, err)
	return standing
}

func find(t *testing.T, handle Handle, data ...activity.CategorizedData) map[activity.Content]activity.CategorizedData {
	t.Helper()
	found, err := handle.FindContents(timeout(t), keys(data...))
	require.NoError(t, err)
	return found
}

// requireStored requires that the store holds exactly these documents for their contents.
func requireStored(t *testing.T, store Store, data ...activity.CategorizedData) {
	t.Helper()
	want := make(map[activity.Content]activity.CategorizedData, len(data))
	for _, d := range data {
		want[d.Content] = d
	}
	require.Equal(t, want, find(t, store.Handle, data...))
	require.Equal(t, want, find(t, store.Other, data...))
}

func contentsAreFound(t *testing.T, store Store) {
	data := contents(3)
	data[1].LLM = true
	require.Empty(t, find(t, store.Handle, data...))
	require.Equal(t, data, add(t, store.Handle, data...))
	requireStored(t, store, data...)
	require.Equal(t, map[activity.Content]activity.CategorizedData{data[1].Content: data[1]}, find(t, store.Handle, data[1], content(99)))
}

func noContents(t *testing.T, store Store) {
	require.Empty(t, add(t, store.Handle))
	require.Empty(t, find(t, store.Handle))
}

func firstContentStands(t *testing.T, store Store) {
	first := contents(2)
	add(t, store.Handle, first...)
	second := contents(4)
	for i := range second {
		second[i].CategoryID, second[i].LLM, second[i].Position = id(78), true, position(500+i)
	}
	want := []activity.CategorizedData{second[3], first[1], second[2], first[0]}
	require.Equal(t, want, add(t, store.Other, second[3], second[1], second[2], second[0]))
	requireStored(t, store, want...)
}

func alikeContents(t *testing.T, store Store) {
	var data []activity.CategorizedData
	for i, c := range []activity.Content{
		{App: "a"}, {URL: "a"}, {Title: "a"}, {App: "a", URL: "a"}, {App: "a", Title: "a"}, {App: "A"}, {App: "a "}, {App: "aa"},
		{App: "a", URL: "aa"}, {App: "aa", URL: "a"},
		{Title: "é"}, {Title: "e\u0301"}, {Title: "👩"}, {Title: "👩‍💻"}, {Title: `'"\`}, {Title: "\t"},
	} {
		data = append(data, activity.CategorizedData{ID: c.ID(), Content: c, CategoryID: id(i), Source: source, Position: position(i)})
	}
	require.Equal(t, data, add(t, store.Handle, data...))
	require.Equal(t, data, add(t, store.Other, data...))
	requireStored(t, store, data...)
}

func longContents(t *testing.T, store Store) {
	data := contents(3)
	data[0].Content.Title = noise(200 << 10)
	data[1].Content.URL = "https://example.com/" + noise(200<<10)
	data[2].Content.App = noise(4 << 10)
	for i := range data {
		data[i].ID = data[i].Content.ID()
	}
	require.Equal(t, data, add(t, store.Handle, data...))
	require.Equal(t, data, add(t, store.Other, data...))
	requireStored(t, store, data...)
}

func givenID(t *testing.T, store Store) {
	data := content(1)
	data.ID = id(50)
	require.Equal(t, []activity.CategorizedData{data}, add(t, store.Handle, data))
	again := content(1)
	again.CategoryID = id(51)
	require.Equal(t, []activity.CategorizedData{data}, add(t, store.Other, again))
	requireStored(t, store, data)
}

func takenID(t *testing.T, store Store) {
	first := content(1)
	first.ID = id(50)
	add(t, store.Handle, first)
	second, third := content(2), content(3)
	second.ID = first.ID
	got := add(t, store.Other, second, third)
	second.ID = second.Content.ID()
	require.Equal(t, []activity.CategorizedData{second, third}, got)
	requireStored(t, store, first, second, third)
}

func sharedID(t *testing.T, store Store) {
	first, second := content(1), content(2)
	first.ID, second.ID = id(50), id(50)
	got := add(t, store.Handle, first, second)
	if got[0].ID == id(50) {
		second.ID = second.Content.ID()
	} else {
		first.ID = first.Content.ID()
	}
	require.Equal(t, []activity.CategorizedData{first, second}, got)
	requireStored(t, store, first, second)
}

// theirs is a document as a producer creates it: under an id of its own.
func theirs(n int) activity.CategorizedData {
	data := content(n)
	data.ID, data.Source, data.Position = id(60+n), "", delivery.Position{}
	return data
}

func producersContent(t *testing.T, store Store) {
	data := theirs(1)
	store.InsertContent(t, data)
	requireStored(t, store, data)
	require.Equal(t, []activity.CategorizedData{data, content(2)}, add(t, store.Handle, content(1), content(2)))
	requireStored(t, store, data, content(2))
}

func producersID(t *testing.T, store Store) {
	data := theirs(1)
	store.InsertContent(t, data)
	given := content(1)
	given.ID, given.CategoryID = data.ID, id(79)
	require.Equal(t, []activity.CategorizedData{data}, add(t, store.Handle, given))
}

func unclassifiedContent(t *testing.T, store Store) {
	data := theirs(1)
	data.CategoryID = activity.ID{}
	store.InsertContent(t, data)
	requireStored(t, store, data)

	want := content(1)
	want.ID, want.LLM = data.ID, true
	given := content(1)
	given.LLM = true
	require.Equal(t, []activity.CategorizedData{content(2), want}, add(t, store.Handle, content(2), given))

	late := content(1)
	late.CategoryID = id(80)
	require.Equal(t, []activity.CategorizedData{want}, add(t, store.Other, late), "it has a category already")
	requireStored(t, store, want, content(2))
}

func addWithoutCategory(t *testing.T, store Store) {
	data := content(1)
	data.CategoryID = activity.ID{}
	require.Equal(t, []activity.CategorizedData{data}, add(t, store.Handle, data))
	requireStored(t, store, data)
	require.Equal(t, []activity.CategorizedData{data}, add(t, store.Handle, data))
	classified := content(1)
	classified.Position = position(9)
	want := content(1) // the position is that of the message that first wrote it
	require.Equal(t, []activity.CategorizedData{want}, add(t, store.Handle, classified))
	requireStored(t, store, want)
}

func sparseContent(t *testing.T, store Store) {
	var written, given []activity.CategorizedData
	for i, c := range []activity.Content{{App: "Mail"}, {URL: "https://example.com"}, {Title: "Untitled"}, {App: "Mail", Title: "Inbox"}} {
		document := activity.CategorizedData{ID: id(60 + i), Content: c, CategoryID: id(i)}
		store.InsertContent(t, document)
		written = append(written, document)
		given = append(given, activity.CategorizedData{ID: c.ID(), Content: c, CategoryID: id(90), Source: source, Position: position(i)})
	}
	requireStored(t, store, written...)
	require.Equal(t, written, add(t, store.Handle, given...))
	requireStored(t, store, written...)
}

func manyContents(t *testing.T, store Store) {
	data := contents(1111)
	add(t, store.Handle, data[:500]...)
	require.Equal(t, data, add(t, store.Handle, data...))
	requireStored(t, store, data...)
}

func contentRace(t *testing.T, store Store) {
	raceContents(t, store, contents(200))
}

func categoryRace(t *testing.T, store Store) {
	data := contents(40)
	for i := range data {
		data[i].ID = theirs(i).ID
		store.InsertContent(t, activity.CategorizedData{ID: data[i].ID, Content: data[i].Content})
	}
	raceContents(t, store, data)
}

// raceContents lets both handles add the data at once, each with values of its own.
func raceContents(t *testing.T, store Store, data []activity.CategorizedData) {
	const adders = 6
	var results [adders][]activity.CategorizedData
	var errs [adders]error
	var wait sync.WaitGroup
	for n := range adders {
		wait.Go(func() {
			mine := slices.Clone(data)
			for i := range mine {
				mine[i].CategoryID, mine[i].Position = id(n), position(n)
			}
			results[n], errs[n] = []Handle{store.Handle, store.Other}[n%2].AddContents(timeout(t), mine)
		})
	}
	wait.Wait()
	for n := range adders {
		require.NoError(t, errs[n])
		for i := range results[0] {
			require.Equal(t, results[0][i], results[n][i], "all see the same document")
		}
	}
	for i := range data {
		require.Equal(t, data[i].ID, results[0][i].ID)
	}
	requireStored(t, store, results[0]...)
}
