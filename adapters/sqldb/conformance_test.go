//go:build !noembedded

package sqldb

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"leat/adapters/sqldb/sqldbtest"
	"leat/handlers/activity"
	"leat/handlers/activity/recordstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testConfig = Config{Timeout: 30 * time.Second, MaxConnections: 4}

// databases make the URI of an empty database of each kind.
var databases = map[string]func(t testing.TB) string{
	"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "a b", "leat.db") },
	"postgres": sqldbtest.Postgres,
}

// eachDatabase runs a test on each kind of database.
func eachDatabase(t *testing.T, run func(t *testing.T, uri string)) {
	for name, uri := range databases {
		t.Run(name, func(t *testing.T) { run(t, uri(t)) })
	}
}

// openStore opens a store until the test ends.
func openStore(t testing.TB, uri string) *Store {
	t.Helper()
	store, err := Open(context.Background(), uri, testConfig, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func TestConformance(t *testing.T) {
	for name, uri := range databases {
		t.Run(name, func(t *testing.T) {
			recordstest.Run(t, func(t *testing.T) recordstest.Store {
				uri := uri(t)
				store := openStore(t, uri)
				return recordstest.Store{
					Handle: store, Other: openStore(t, uri),
					InsertLog:     func(t *testing.T, log activity.UsageLog) { insertProducersLog(t, store, log) },
					InsertContent: func(t *testing.T, data activity.CategorizedData) { insertProducersContent(t, store, data) },
				}
			})
		})
	}
}

func insertProducersLog(t *testing.T, store *Store, log activity.UsageLog) {
	_, err := store.write.ExecContext(t.Context(), `INSERT INTO pomodoro_usage_log (id, user_id, duration, session) VALUES ($1, NULLIF($2, ''), $3, $4)`,
		log.ID.String(), log.User, log.Duration, log.Session)
	require.NoError(t, err)
}

func insertProducersContent(t *testing.T, store *Store, data activity.CategorizedData) {
	_, err := store.write.ExecContext(t.Context(), `INSERT INTO categorized_data (id, digest, app, url, title, category_id)
		VALUES ($1, $2, NULLIF($3, ''), NULLIF($4, ''), NULLIF($5, ''), $6)`,
		data.ID.String(), data.Content.ID().String(), data.Content.App, data.Content.URL, data.Content.Title, keys(texts([]activity.ID{data.CategoryID})).at(0))
	require.NoError(t, err)
}
