package recordstest

import (
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/delivery"
)

var logCases = map[string]func(*testing.T, Store){
	"what was added is found":                          logsAreFound,
	"no logs are no work":                              noLogs,
	"values come back as they were given":              logValues,
	"the first record under an id stands":              firstLogStands,
	"one id twice in a call":                           logTwice,
	"a producer's document is completed once":          producersLog,
	"a bare document of a producer is completed":       bareProducersLog,
	"all logs are iterated over":                       allLogs,
	"an iteration may end early":                       iterationEnds,
	"the store may be used during an iteration":        iterationAndUse,
	"of two that add the same ids one wins":            logRace,
	"of two that complete the same documents one wins": completionRace,
}

func logsAreFound(t *testing.T, store Store) {
	logs := usageLogs(3)
	added, err := store.AddLogs(timeout(t), logs)
	require.NoError(t, err)
	require.Equal(t, logs, added)

	for _, handle := range []Handle{store.Handle, store.Other} {
		found, err := handle.FindLogs(timeout(t), append(ids(logs[:2]...), id(99)))
		require.NoError(t, err)
		require.Equal(t, map[activity.ID]activity.UsageLog{logs[0].ID: logs[0], logs[1].ID: logs[1]}, found)
	}
}

func noLogs(t *testing.T, store Store) {
	added, err := store.AddLogs(timeout(t), nil)
	require.NoError(t, err)
	require.Empty(t, added)
	found, err := store.FindLogs(timeout(t), nil)
	require.NoError(t, err)
	require.Empty(t, found)
	requireNoLogs(t, store)
}

func requireNoLogs(t *testing.T, store Store) {
	t.Helper()
	for log, err := range store.Logs(timeout(t)) {
		require.NoError(t, err)
		t.Fatalf("leat wrote no log, but there is %v", log)
	}
}

// logValues adds, one by one, logs with a value that some store might bend.
func logValues(t *testing.T, store Store) {
	seoul := time.FixedZone("KST", 9*60*60)
	values := map[string]func(*activity.UsageLog){
		"emoji":             func(l *activity.UsageLog) { l.User = "👩‍💻 한글 é e\u0301 \U0010FFFF" },
		"256 bytes":         func(l *activity.UsageLog) { l.User = strings.Repeat("💧", 64) },
		"quotes":            func(l *activity.UsageLog) { l.User = `'"\$.%_{}` + "\t\r\n" },
		"outer space":       func(l *activity.UsageLog) { l.User = " user " },
		"upper case":        func(l *activity.UsageLog) { l.User = "USER" },
		"no duration":       func(l *activity.UsageLog) { l.Duration = 0 },
		"smallest duration": func(l *activity.UsageLog) { l.Duration = math.SmallestNonzeroFloat64 },
		"a fraction":        func(l *activity.UsageLog) { l.Duration = 0.1 + 0.2 },
		"a day":             func(l *activity.UsageLog) { l.Duration = 86400 },
		"before 1970":       func(l *activity.UsageLog) { l.Timestamp = time.Date(1969, 12, 31, 23, 59, 59, 999_000_000, time.UTC) },
		"far time":          func(l *activity.UsageLog) { l.Timestamp = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) },
		"another zone":      func(l *activity.UsageLog) { l.Timestamp = began.In(seoul) },
		"microseconds":      func(l *activity.UsageLog) { l.Timestamp = began.Add(999 * time.Microsecond) },
		"no session":        func(l *activity.UsageLog) { l.Session, l.SessionMinutes, l.SessionDate = 0, 0, "" },
		"large session":     func(l *activity.UsageLog) { l.Session, l.SessionMinutes = 1<<40, -1 },
		"last position": func(l *activity.UsageLog) {
			l.Position = delivery.Position{Major: math.MaxUint64, Minor: math.MaxUint64}
		},
		"a backend with no place": func(l *activity.UsageLog) { l.Source, l.Position = "", delivery.Position{} },
		"long source":             func(l *activity.UsageLog) { l.Source = strings.Repeat("s", 1000) },
	}
	n := 0
	for name, change := range values {
		given := usageLog(n)
		n++
		change(&given)
		want := given
		want.Timestamp = time.UnixMilli(given.Timestamp.UnixMilli()).UTC()

		added, err := store.AddLogs(timeout(t), []activity.UsageLog{given})
		require.NoError(t, err, name)
		require.Equal(t, []activity.UsageLog{want}, added, "%s: as added", name)
		added, err = store.AddLogs(timeout(t), []activity.UsageLog{given})
		require.NoError(t, err, name)
		require.Equal(t, []activity.UsageLog{want}, added, "%s: as added again", name)
		found, err := store.FindLogs(timeout(t), []activity.ID{given.ID})
		require.NoError(t, err, name)
		require.Equal(t, want, found[given.ID], "%s: as found", name)
	}
}

func firstLogStands(t *testing.T, store Store) {
	first := usageLogs(2)
	_, err := store.AddLogs(timeout(t), first)
	require.NoError(t, err)

	second := usageLogs(4)
	for i := range second {
		second[i].User, second[i].Duration, second[i].CategoryID = "another", 1, id(77)
		second[i].Position = position(500 + i)
	}
	added, err := store.Other.AddLogs(timeout(t), []activity.UsageLog{second[3], second[1], second[2], second[0]})
	require.NoError(t, err)
	want := []activity.UsageLog{second[3], first[1], second[2], first[0]}
	require.Equal(t, want, added)
	found, err := store.FindLogs(timeout(t), ids(want...))
	require.NoError(t, err)
	require.Equal(t, map[activity.ID]activity.UsageLog{want[0].ID: want[0], want[1].ID: want[1], want[2].ID: want[2], want[3].ID: want[3]}, found)
}

func logTwice(t *testing.T, store Store) {
	a, b, other := usageLog(1), usageLog(1), usageLog(2)
	b.Duration = 99
	for range 2 { // new, then there already
		added, err := store.AddLogs(timeout(t), []activity.UsageLog{a, other, b, other})
		require.NoError(t, err)
		require.Len(t, added, 4)
		require.Contains(t, []activity.UsageLog{a, b}, added[0])
		require.Equal(t, added[0], added[2])
		require.Equal(t, []activity.UsageLog{other, other}, []activity.UsageLog{added[1], added[3]})
		found, err := store.FindLogs(timeout(t), []activity.ID{a.ID})
		require.NoError(t, err)
		require.Equal(t, added[0], found[a.ID])
	}
}

func producersLog(t *testing.T, store Store) {
	theirs := usageLog(1)
	theirs.Duration, theirs.CategoryID, theirs.Source, theirs.Position = 1, activity.ID{}, "", delivery.Position{}
	store.InsertLog(t, theirs)

	found, err := store.FindLogs(timeout(t), []activity.ID{theirs.ID})
	require.NoError(t, err)
	require.Empty(t, found, "leat has not written it yet")
	requireNoLogs(t, store)

	ours := usageLogs(3) // the producer's among new ones
	added, err := store.AddLogs(timeout(t), ours)
	require.NoError(t, err)
	require.Equal(t, ours, added)

	late := usageLog(1)
	late.Duration, late.Position = 2, position(9)
	added, err = store.Other.AddLogs(timeout(t), []activity.UsageLog{late})
	require.NoError(t, err)
	require.Equal(t, ours[1:2], added, "it is completed already")
	found, err = store.FindLogs(timeout(t), []activity.ID{theirs.ID})
	require.NoError(t, err)
	require.Equal(t, map[activity.ID]activity.UsageLog{theirs.ID: ours[1]}, found)
}

func bareProducersLog(t *testing.T, store Store) {
	log := usageLog(1)
	store.InsertLog(t, activity.UsageLog{ID: log.ID})
	log.Source, log.Position = "", delivery.Position{} // a backend without positions completes it too
	added, err := store.AddLogs(timeout(t), []activity.UsageLog{log})
	require.NoError(t, err)
	require.Equal(t, []activity.UsageLog{log}, added)
	found, err := store.FindLogs(timeout(t), []activity.ID{log.ID})
	require.NoError(t, err)
	require.Equal(t, log, found[log.ID])
}

func allLogs(t *testing.T, store Store) {
	logs := usageLogs(5000)
	_, err := store.AddLogs(timeout(t), logs)
	require.NoError(t, err)
	seen := make(map[activity.ID]activity.UsageLog, len(logs))
	for log, err := range store.Logs(timeout(t)) {
		require.NoError(t, err)
		if _, twice := seen[log.ID]; twice {
			t.Fatalf("log %s came twice", log.ID)
		}
		seen[log.ID] = log
	}
	require.Len(t, seen, len(logs))
	for _, log := range logs {
		if seen[log.ID] != log {
			require.Equal(t, log, seen[log.ID])
		}
	}
}

func iterationEnds(t *testing.T, store Store) {
	_, err := store.AddLogs(timeout(t), usageLogs(50))
	require.NoError(t, err)
	for range 20 { // more often than there are connections
		for _, err := range store.Logs(timeout(t)) {
			require.NoError(t, err)
			break
		}
	}
}

func iterationAndUse(t *testing.T, store Store) {
	logs := usageLogs(20)
	_, err := store.AddLogs(timeout(t), logs)
	require.NoError(t, err)
	n := 0
	for log, err := range store.Logs(timeout(t)) {
		require.NoError(t, err)
		n++
		added, err := store.AddLogs(timeout(t), []activity.UsageLog{log})
		require.NoError(t, err)
		require.Equal(t, log, added[0])
	}
	require.Equal(t, len(logs), n)
}

func logRace(t *testing.T, store Store) {
	race(t, store, usageLogs(200))
}

func completionRace(t *testing.T, store Store) {
	logs := usageLogs(40)
	for _, log := range logs {
		store.InsertLog(t, activity.UsageLog{ID: log.ID, User: log.User})
	}
	race(t, store, logs)
}

// race lets both handles add the logs at once, each with values of its own and in an order of its own.
func race(t *testing.T, store Store, logs []activity.UsageLog) {
	const each = 3
	results := make([][]activity.UsageLog, 2*each)
	errs := make([]error, len(results))
	var adders sync.WaitGroup
	for n := range results {
		adders.Go(func() {
			mine := make([]activity.UsageLog, len(logs))
			for i, log := range logs {
				log.Duration = float64(n)
				mine[rotate(i, n, len(logs))] = log
			}
			added, err := []Handle{store.Handle, store.Other}[n%2].AddLogs(timeout(t), mine)
			results[n], errs[n] = make([]activity.UsageLog, len(logs)), err
			for i := range added {
				results[n][i] = added[rotate(i, n, len(logs))]
			}
		})
	}
	adders.Wait()
	for n := range results {
		require.NoError(t, errs[n])
		for i := range logs {
			require.Equal(t, results[0][i], results[n][i], "all see the same record")
		}
	}
	found, err := store.FindLogs(timeout(t), ids(logs...))
	require.NoError(t, err)
	for i, log := range logs {
		require.Equal(t, found[log.ID], results[0][i])
		log.Duration = results[0][i].Duration
		require.Equal(t, log, results[0][i], "a record is one of those given, whole")
	}
}

// rotate is the place of i in the order of adder n: from the front or from the back.
func rotate(i, n, length int) int {
	if n%2 == 1 {
		i = length - 1 - i
	}
	return (i + n*7) % length
}
