// Package sqldb keeps leat's records and patterns in SQLite or PostgreSQL, with one code for both. The tables
// bear the names of the collections: category_pattern, categorized_data, pomodoro_usage_log.
//
// Ids are text of 24 hexadecimal digits, as they appear in logs, messages and MongoDB: binary ids save 36 bytes
// a record and, measured, no time. Timestamps are epoch milliseconds. Positions are delivery.Position.Key. A
// record without a position was created by the producer and not completed by leat yet.
package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"leat/handlers/activity"
	"leat/handlers/fault"
)

// Config tunes the SQL stores.
type Config struct {
	Timeout        time.Duration `config:"timeout" default:"10s" min:"100ms" max:"10m" doc:"longest time that one operation of the store may take"`
	MaxConnections int           `config:"max_connections" default:"8" min:"1" max:"1000" doc:"most connections to PostgreSQL, or of readers of the SQLite file (which has one writer)"`
}

// Store is a database. It is safe for concurrent use.
type Store struct {
	write, read *sql.DB // the same pool, except on SQLite
	dialect     dialect
	timeout     time.Duration
	logger      *slog.Logger
	closed      atomic.Bool
}

var (
	_ activity.Records      = (*Store)(nil)
	_ activity.PatternStore = (*Store)(nil)
)

// dialect is where the two databases differ.
type dialect struct {
	// types replaces {key}, a text that compares bytewise, and {json} in the statements of a migration.
	types *strings.Replacer
	// hasVersions asks whether the table schema_version exists.
	hasVersions string
	// lock makes a transaction the only one that migrates; empty where every writing transaction is alone.
	lock string
	// among follows a column: its value is one of the list in $1, which list made.
	among string
	list  func([]string) any
	// insert writes the rows, count of them, and returns how many of them it inserted or changed.
	insert func(ctx context.Context, into *insertion, rows []column, count int) (int64, error)
	// kind classifies an error of the driver; ok is false if it is none.
	kind func(error) (kind fault.Kind, ok bool)
}

// Open connects to a database and brings its schema up to date; several processes may do so at once. The URI is
// postgres://… (or postgresql://…), or sqlite:FILE; the file is created with its parent directories. Errors are
// of kind unavailable if the server cannot be reached, and invalid if the URI, the credentials or a setting of
// the server are wrong, or if the schema is newer than the program. Passwords do not appear in them.
func Open(ctx context.Context, uri string, cfg Config, logger *slog.Logger) (*Store, error) {
	return open(ctx, uri, cfg, logger, migrations)
}

func open(ctx context.Context, uri string, cfg Config, logger *slog.Logger, versions []migration) (*Store, error) {
	scheme, _, _ := strings.Cut(uri, ":")
	var store *Store
	var err error
	switch scheme {
	case "postgres", "postgresql":
		store, err = openPostgres(ctx, uri, cfg, logger)
	case "sqlite":
		store, err = openSQLite(ctx, strings.TrimPrefix(uri, "sqlite:"), cfg)
	default:
		return nil, fault.Invalidf("store_uri", "a store URI with scheme %q is none of postgres://… and sqlite:FILE", scheme)
	}
	if err != nil {
		return nil, err
	}
	store.logger = logger
	if err := store.migrate(ctx, versions, logger); err != nil {
		_ = store.Close()
		return nil, err
	}
	return store, nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var one int
	return s.fail(ctx, "ping", s.read.QueryRowContext(ctx, "SELECT 1").Scan(&one))
}

// Close waits for running operations and closes all connections. Operations that come later are unavailable.
func (s *Store) Close() error {
	s.closed.Store(true)
	err := s.write.Close()
	if s.read != s.write {
		if closing := s.read.Close(); err == nil {
			err = closing
		}
	}
	if err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

// within runs an operation under the store's deadline and gives its error a kind. The name of the operation
// begins the error's message.
func (s *Store) within(ctx context.Context, name string, operation func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.fail(ctx, name, operation(ctx))
}
