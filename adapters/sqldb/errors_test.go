//go:build !noembedded

package sqldb

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
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
		"08P01": fault.Unavailable, // a pooler's complaint
		"26000": fault.Unavailable, // a pooler lost the statement
		"3D000": fault.Unavailable, // the database was dropped
		"57P05": fault.Unavailable, // idle for too long
		"XX000": fault.Unavailable, // the server, or a pooler
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

// A database that vanishes after the start is an outage: what the server says to a new connection is no fault of
// what is stored. At the start it is a wrong setting.
func TestDroppedDatabase(t *testing.T) {
	uri, err := url.Parse(databases["postgres"](t))
	require.NoError(t, err)
	admin := openStore(t, uri.String())
	name := "leat_test_" + strings.ToLower(rand.Text())
	_, err = admin.write.ExecContext(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	drop := "DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"
	t.Cleanup(func() { _, _ = admin.write.ExecContext(context.Background(), drop) })
	uri.Path, uri.RawQuery = "/"+name, "sslmode=disable"
	store, err := Open(t.Context(), uri.String(), testConfig, silent)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	_, err = admin.write.ExecContext(t.Context(), drop)
	require.NoError(t, err)
	for range 4 {
		_, err = store.AddLogs(t.Context(), []activity.UsageLog{{ID: activity.ID{1}, Timestamp: timestamp}})
		require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	}
	require.ErrorContains(t, err, "does not exist")
	_, err = Open(t.Context(), uri.String(), testConfig, silent)
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
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
	_, err = store.write.ExecContext(t.Context(), "INSERT INTO category_pattern (id, category) VALUES ('x1', 'Music'), ($1, 'Design')", strings.Repeat("1", 24))
	require.NoError(t, err)
	var log bytes.Buffer
	store.logger = slog.New(slog.NewTextHandler(&log, nil))
	patterns, err := store.Patterns(t.Context())
	require.NoError(t, err)
	require.Len(t, patterns, 1, "the others stay in force")
	require.Equal(t, "Design", patterns[0].Category)
	require.Contains(t, log.String(), "category=Game")
	require.Contains(t, log.String(), "app_patterns is not a JSON array")
	require.Contains(t, log.String(), "category=Music")
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
