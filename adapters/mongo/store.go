// Package mongo keeps leat's records and patterns in MongoDB, in the collections and fields that the producer and
// other readers share with it: category_pattern, categorized_data, pomodoro_usage_log.
//
// Every write waits for the journals of a majority, and every read is one of the primary that a majority agrees on:
// what was acknowledged or read survives a failover.
package mongo

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"leat/handlers/activity"
	"leat/handlers/fault"
)

// Config tunes the MongoDB store.
type Config struct {
	Timeout        time.Duration `config:"timeout" default:"10s" min:"100ms" max:"10m" doc:"longest time that one operation of the store may take"`
	MaxConnections int           `config:"max_connections" default:"8" min:"1" max:"1000" doc:"most connections to each server; overrides maxPoolSize in the URI"`
}

// Store is a MongoDB database. It is safe for concurrent use.
type Store struct {
	client   *mongo.Client
	database *mongo.Database
	contents *mongo.Collection // categorized_data
	logs     *mongo.Collection // pomodoro_usage_log
	patterns *mongo.Collection // category_pattern
	timeout  time.Duration
	logger   *slog.Logger
	closed   atomic.Bool
}

var (
	_ activity.Records      = (*Store)(nil)
	_ activity.PatternStore = (*Store)(nil)
)

// Open connects to a database and brings its indexes up to date; several processes may do so at once. Errors are of
// kind unavailable if no primary can be reached, and invalid if the URI, the credentials or its write concern are
// wrong, or if the schema is newer than the program. Passwords do not appear in them.
func Open(ctx context.Context, uri, database string, cfg Config, logger *slog.Logger) (*Store, error) {
	return open(ctx, uri, database, cfg, logger, migrations)
}

func open(ctx context.Context, uri, database string, cfg Config, logger *slog.Logger, versions []migration) (*Store, error) {
	opts, err := clientOptions(uri, database, cfg)
	if err != nil {
		return nil, err
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, fault.Invalidf("store_uri", "store: %s", redact(uri, err.Error()))
	}
	db := client.Database(database)
	store := &Store{
		client: client, database: db, timeout: cfg.Timeout, logger: logger,
		contents: db.Collection("categorized_data"),
		logs:     db.Collection("pomodoro_usage_log"),
		patterns: db.Collection("category_pattern"),
	}
	if err := store.connect(ctx); err != nil {
		_ = store.Close()
		return nil, err
	}
	if err := store.migrate(ctx, versions, logger); err != nil {
		_ = store.Close()
		return nil, err
	}
	return store, nil
}

// connect waits for the primary. What only an operator can mend is an error of kind invalid.
func (s *Store) connect(ctx context.Context) error {
	err := s.Ping(ctx)
	if err != nil && refused(err) {
		return fault.Invalidf("store_refused", "%w", err)
	}
	return err
}

// Ping reports whether the primary answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.within(ctx, "ping", func(ctx context.Context) error { return s.client.Ping(ctx, readpref.Primary()) })
}

// Close closes all connections. Operations that come later are unavailable.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	if err := s.client.Disconnect(ctx); err != nil {
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
