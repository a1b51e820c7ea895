package main

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"leat/adapters/sqldb"
	"leat/config"
)

// database is a kind of store. Each run of a contender gets a fresh one.
type database struct {
	name string
	// fresh returns the URI of an empty database and a function that removes it.
	fresh func(ctx context.Context) (uri string, drop func(), err error)
}

func findStores(ctx context.Context) ([]database, error) {
	stores := []database{{"sqlite", freshSQLite}}
	uri := os.Getenv("LEAT_BENCH_POSTGRES_URI")
	if uri == "" {
		uri = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"
	}
	if err := ping(ctx, uri); err != nil {
		fmt.Printf("PostgreSQL is left out: %v\n", err)
		return stores, nil
	}
	return append(stores, database{"postgres", func(ctx context.Context) (string, func(), error) { return freshSchema(ctx, uri) }}), nil
}

func ping(ctx context.Context, uri string) error {
	db, err := sql.Open("pgx", uri)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return db.PingContext(ctx)
}

func freshSQLite(context.Context) (string, func(), error) {
	dir, err := os.MkdirTemp("", "leat-bench")
	return "sqlite:" + filepath.Join(dir, "bench.db"), func() { _ = os.RemoveAll(dir) }, err
}

func freshSchema(ctx context.Context, uri string) (string, func(), error) {
	schema := fmt.Sprintf("leat_bench_%d", time.Now().UnixNano())
	if err := execute(ctx, uri, "CREATE SCHEMA "+schema); err != nil {
		return "", nil, err
	}
	parsed, err := url.Parse(uri)
	if err != nil {
		return "", nil, err
	}
	query := parsed.Query()
	query.Set("search_path", schema)
	parsed.RawQuery = query.Encode()
	return parsed.String(), func() {
		_ = execute(context.WithoutCancel(ctx), uri, "DROP SCHEMA "+schema+" CASCADE")
	}, nil
}

func execute(ctx context.Context, uri, statement string) error {
	db, err := sql.Open("pgx", uri)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}

// open returns a fresh, migrated store as leat itself opens it, and a function that closes and removes it.
func (d database) open(ctx context.Context) (*sqldb.Store, func(), error) {
	uri, drop, err := d.fresh(ctx)
	if err != nil {
		return nil, nil, err
	}
	store, err := sqldb.Open(ctx, uri, config.Default().Store.SQL, slog.New(slog.DiscardHandler))
	if err != nil {
		drop()
		return nil, nil, err
	}
	return store, func() { store.Close(); drop() }, nil
}
