package recordstest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/fault"
)

var contextCases = map[string]func(*testing.T, Store){
	"a canceled context is a shutdown":          canceled,
	"a deadline that passed is a slow store":    late,
	"an iteration ends when its context does":   canceledIteration,
	"the store works after operations were cut": afterCancel,
}

// operations are all methods of the ports, on a store that knows something.
func operations(handle Handle) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"FindContents": func(ctx context.Context) error { _, err := handle.FindContents(ctx, keys(contents(2)...)); return err },
		"AddContents":  func(ctx context.Context) error { _, err := handle.AddContents(ctx, contents(2)); return err },
		"FindLogs":     func(ctx context.Context) error { _, err := handle.FindLogs(ctx, ids(usageLogs(2)...)); return err },
		"AddLogs":      func(ctx context.Context) error { _, err := handle.AddLogs(ctx, usageLogs(2)); return err },
		"Patterns":     func(ctx context.Context) error { _, err := handle.Patterns(ctx); return err },
		"SeedPatterns": func(ctx context.Context) error { return handle.SeedPatterns(ctx, patterns()) },
		"Logs": func(ctx context.Context) error {
			var failed error
			calls := 0
			for _, err := range handle.Logs(ctx) {
				calls++
				failed = err
			}
			if failed != nil && calls > 1 {
				return fault.Internalf("", "the iteration went on after its error")
			}
			return failed
		},
	}
}

func requireKind(t *testing.T, store Store, ctx context.Context, kind fault.Kind) {
	t.Helper()
	for name, run := range operations(store.Handle) {
		err := run(ctx)
		require.Error(t, err, name)
		require.Equal(t, kind, fault.KindOf(err), "%s: %v", name, err)
	}
}

func canceled(t *testing.T, store Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	requireKind(t, store, ctx, fault.Canceled)
}

func late(t *testing.T, store Store) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	requireKind(t, store, ctx, fault.Unavailable)
}

func canceledIteration(t *testing.T, store Store) {
	_, err := store.AddLogs(timeout(t), usageLogs(3000))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var ended error
	for _, err := range store.Logs(ctx) {
		if err != nil {
			ended = err
			continue
		}
		if n++; n == 10 {
			cancel()
		}
	}
	require.Equal(t, fault.Canceled, fault.KindOf(ended), "%v", ended)
	require.Less(t, n, 3000, "it must not read everything first")
}

// afterCancel cuts operations at many points of their way.
func afterCancel(t *testing.T, store Store) {
	logs := usageLogs(300)
	for n := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n*n)*20*time.Microsecond)
		_, _ = store.AddLogs(ctx, logs)
		cancel()
	}
	added, err := store.AddLogs(timeout(t), logs)
	require.NoError(t, err)
	require.Equal(t, logs, added)
	data := contents(3)
	standing, err := store.AddContents(timeout(t), data)
	require.NoError(t, err)
	require.Equal(t, []activity.CategorizedData{data[0], data[1], data[2]}, standing)
}
