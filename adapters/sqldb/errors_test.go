//go:build !noembedded

package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/fault"
)

var timestamp = time.Date(2025, 10, 14, 9, 47, 12, 0, time.UTC)

func TestKindsOfPostgres(t *testing.T) {
	store := &Store{dialect: postgresDialect}
	for code, want := range map[string]fault.Kind{
		"08006": fault.Unavailable, // connection failure
		"25006": fault.Unavailable, // read-only: a standby
		"28P01": fault.Unavailable, // the password was changed
		"40001": fault.Unavailable, // serialization
		"40P01": fault.Unavailable, // deadlock
		"53100": fault.Unavailable, // disk full
		"53300": fault.Unavailable, // too many connections
		"55P03": fault.Unavailable, // lock
		"57014": fault.Unavailable, // statement timeout
		"57P01": fault.Unavailable, // shutdown
		"58030": fault.Unavailable, // I/O
		"42501": fault.Unavailable, // a right was revoked
		"22021": fault.Invalid,     // a character that cannot be stored
		"22P05": fault.Invalid,
		"54000": fault.Invalid, // too large for an index
		"23505": fault.Internal,
		"42P01": fault.Internal,
		"XX000": fault.Internal,
		"":      fault.Internal,
	} {
		err := store.fail(t.Context(), "test", &pgconn.PgError{Code: code, Message: "message"})
		require.Equal(t, want, fault.KindOf(err), "SQLSTATE %s", code)
		require.ErrorContains(t, err, "store: test: ")
	}
}

func TestKindsOfOtherErrors(t *testing.T) {
	store := &Store{dialect: postgresDialect}
	for _, test := range []struct {
		err  error
		want fault.Kind
	}{
		{driver.ErrBadConn, fault.Unavailable},
		{io.ErrUnexpectedEOF, fault.Unavailable},
		{&pgconn.ConnectError{}, fault.Unavailable},
		{context.DeadlineExceeded, fault.Unavailable},
		{errors.New("sql: Scan error on column index 0"), fault.Internal},
		{fault.Invalidf("code", "wrong"), fault.Invalid},
	} {
		require.Equal(t, test.want, fault.KindOf(store.fail(t.Context(), "test", test.err)), "%T", test.err)
	}
	require.NoError(t, store.fail(t.Context(), "test", nil))
}

// Losing its connections is an outage for the store's users, not a fault of what they store.
func TestTerminatedConnection(t *testing.T) {
	uri := databases["postgres"](t)
	store, other := openStore(t, uri), openStore(t, uri)
	for range 5 {
		var pid int
		require.NoError(t, store.read.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
		_, err := other.write.ExecContext(t.Context(), "SELECT pg_terminate_backend($1)", pid)
		require.NoError(t, err)
		if _, err = store.AddLogs(t.Context(), []activity.UsageLog{{ID: activity.ID{1}, Timestamp: timestamp}}); err != nil {
			require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
		}
	}
	require.Eventually(t, func() bool { return store.Ping(t.Context()) == nil }, 10*time.Second, 10*time.Millisecond)
}

// A lock that another process holds is waited for as long as the timeout allows.
func TestWaitingTooLong(t *testing.T) {
	eachDatabase(t, func(t *testing.T, uri string) {
		other := openStore(t, uri)
		slow, err := Open(t.Context(), uri, Config{Timeout: 300 * time.Millisecond, MaxConnections: 2}, silent)
		require.NoError(t, err)
		defer func() { require.NoError(t, slow.Close()) }()

		tx, err := other.write.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		log := activity.UsageLog{ID: activity.ID{7}, User: "u", Timestamp: timestamp}
		_, err = tx.ExecContext(t.Context(), "INSERT INTO pomodoro_usage_log (id) VALUES ($1)", log.ID.String())
		require.NoError(t, err)
		began := time.Now()
		_, err = slow.AddLogs(t.Context(), []activity.UsageLog{log})
		require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
		require.Less(t, time.Since(began), 10*time.Second)
		require.NoError(t, tx.Rollback())
		_, err = slow.AddLogs(t.Context(), []activity.UsageLog{log})
		require.NoError(t, err)
	})
}

func TestReadingGoesOnWhileAnotherWrites(t *testing.T) {
	eachDatabase(t, func(t *testing.T, uri string) {
		store, other := openStore(t, uri), openStore(t, uri)
		tx, err := other.write.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, tx.Rollback()) }()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err = store.FindLogs(ctx, []activity.ID{{1}})
		require.NoError(t, err)
	})
}

func TestPatternsThatNobodyCanRead(t *testing.T) {
	store := openStore(t, "sqlite:"+filepath.Join(t.TempDir(), "leat.db"))
	_, err := store.write.ExecContext(t.Context(), "INSERT INTO category_pattern (id, category, app_patterns) VALUES ($1, 'Game', 'steam')", strings.Repeat("0", 24))
	require.NoError(t, err)
	_, err = store.Patterns(t.Context())
	require.ErrorContains(t, err, `category pattern "Game": app_patterns is not a JSON array`)
}

// A statement with a remainder of every chunk size inserts every row once.
func TestChunks(t *testing.T) {
	store := openStore(t, "sqlite:"+filepath.Join(t.TempDir(), "leat.db"))
	for _, count := range []int{1, 9, 10, 11, 99, 100, 101, 111, 219} {
		logs := make([]activity.UsageLog, count)
		for i := range logs {
			logs[i] = activity.UsageLog{ID: activity.ID{byte(count), 1, byte(i)}, User: fmt.Sprint(i), Timestamp: timestamp}
		}
		added, err := store.AddLogs(t.Context(), logs)
		require.NoError(t, err)
		require.Equal(t, logs, added)
		list := make([]activity.ID, count)
		for i := range logs {
			list[i] = logs[i].ID
		}
		found, err := store.FindLogs(t.Context(), list)
		require.NoError(t, err)
		for _, log := range logs {
			require.Equal(t, log, found[log.ID])
		}
	}
}

// Contents that no single statement could take are added all the same.
func TestContentsLargerThanAStatement(t *testing.T) {
	eachDatabase(t, func(t *testing.T, uri string) {
		store := openStore(t, uri)
		data := make([]activity.CategorizedData, 5)
		keys := make([]activity.Content, len(data))
		for i := range data {
			keys[i] = activity.Content{Title: strings.Repeat(fmt.Sprint(i), statementBytes/3)}
			data[i] = activity.CategorizedData{ID: keys[i].ID(), Content: keys[i], CategoryID: activity.ID{1}}
		}
		standing, err := store.AddContents(t.Context(), data)
		require.NoError(t, err)
		require.True(t, slices.Equal(data, standing))
		found, err := store.FindContents(t.Context(), keys)
		require.NoError(t, err)
		for i := range data {
			require.True(t, found[keys[i]] == data[i])
		}
	})
}

// One log that PostgreSQL cannot hold is the fault of that log.
func TestValueThatPostgresCannotHold(t *testing.T) {
	store := openStore(t, databases["postgres"](t))
	logs := []activity.UsageLog{{ID: activity.ID{1}, User: "a", Timestamp: timestamp}, {ID: activity.ID{2}, User: "a\x00", Timestamp: timestamp}}
	_, err := store.AddLogs(t.Context(), logs)
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	_, err = store.AddLogs(t.Context(), logs[:1])
	require.NoError(t, err)
}
