//go:build !noembedded

package sqldb

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/fault"
)

// withNext are the migrations of a program that is a version ahead.
func withNext(statements ...string) []migration {
	return append(slices.Clone(migrations), statements)
}

func versions(t *testing.T, store *Store) (list []int) {
	t.Helper()
	rows, err := store.write.QueryContext(t.Context(), "SELECT version FROM schema_version WHERE applied_at > 0 ORDER BY version")
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var version int
		require.NoError(t, rows.Scan(&version))
		list = append(list, version)
	}
	require.NoError(t, rows.Err())
	return list
}

func TestMigrationsAreAppliedInOrder(t *testing.T) {
	eachDatabase(t, func(t *testing.T, uri string) {
		store := openStore(t, uri)
		log := activity.UsageLog{ID: activity.ID{1}, User: "u", Timestamp: timestamp}
		_, err := store.AddLogs(t.Context(), []activity.UsageLog{log})
		require.NoError(t, err)
		require.Equal(t, []int{1}, versions(t, store))

		next := withNext("ALTER TABLE pomodoro_usage_log ADD COLUMN note {key}", "UPDATE pomodoro_usage_log SET note = 'kept'")
		next = append(next, migration{"CREATE TABLE later (id {key} PRIMARY KEY, list {json})"})
		ahead, err := open(t.Context(), uri, testConfig, silent, next)
		require.NoError(t, err)
		defer func() { require.NoError(t, ahead.Close()) }()
		require.Equal(t, []int{1, 2, 3}, versions(t, ahead))
		var note string
		require.NoError(t, ahead.read.QueryRowContext(t.Context(), "SELECT note FROM pomodoro_usage_log WHERE user_id = 'u'").Scan(&note))
		require.Equal(t, "kept", note)
	})
}

func TestNewerSchemaIsRefused(t *testing.T) {
	eachDatabase(t, func(t *testing.T, uri string) {
		ahead, err := open(t.Context(), uri, testConfig, silent, withNext("CREATE TABLE later (id BIGINT)"))
		require.NoError(t, err)
		require.NoError(t, ahead.Close())
		_, err = Open(t.Context(), uri, testConfig, silent)
		require.ErrorContains(t, err, "version 2, this program knows versions up to 1")
		require.Equal(t, fault.Invalid, fault.KindOf(err))
	})
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, uri string) {
		store := openStore(t, uri)
		_, err := open(t.Context(), uri, testConfig, silent, withNext("CREATE TABLE half (id BIGINT)", "CREATE TABLE half (id BIGINT)"))
		require.ErrorContains(t, err, "migrate the schema to version 2")
		require.Equal(t, []int{1}, versions(t, store))
		_, err = store.write.ExecContext(t.Context(), "SELECT * FROM half")
		require.Error(t, err, "the first statement is undone")
	})
}

func TestSeveralMayOpenAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, uri string) {
		var stores [6]*Store
		var errs [6]error
		var wait sync.WaitGroup
		for n := range stores {
			wait.Go(func() {
				stores[n], errs[n] = open(t.Context(), uri, testConfig, silent, withNext("CREATE TABLE later (id BIGINT)"))
			})
		}
		wait.Wait()
		for n, store := range stores {
			require.NoError(t, errs[n])
			require.NoError(t, store.Ping(t.Context()))
			require.Equal(t, []int{1, 2}, versions(t, store))
			require.NoError(t, store.Close())
		}
	})
}
