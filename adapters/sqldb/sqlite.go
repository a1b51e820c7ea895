//go:build !noembedded

package sqldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"leat/handlers/fault"
)

var sqliteDialect = dialect{
	types:       strings.NewReplacer("{key}", "TEXT", "{json}", "TEXT"),
	hasVersions: "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_version')",
	among:       "IN (SELECT value FROM json_each($1))",
	list: func(texts []string) any {
		array, _ := json.Marshal(texts) // texts always marshal
		return string(array)
	},
	kind: sqliteKind,
}

// openSQLite opens or creates a file, in WAL mode with synchronous=FULL: what is committed survives a loss of
// power. One connection writes; others read meanwhile. Another process may use the file too: writers then
// wait for each other up to the timeout.
func openSQLite(ctx context.Context, name string, cfg Config) (*Store, error) {
	path, synchronous, err := sqliteFile(name)
	if err != nil {
		return nil, err
	}
	if err := createFile(path); err != nil {
		return nil, fault.Invalidf("store_file", "store: create the SQLite file: %w", err)
	}
	connect := func(extra string, connections int) (*sql.DB, error) {
		dsn := fmt.Sprintf("%s?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(%s)%s",
			(&url.URL{Scheme: "file", Path: path}).String(), cfg.Timeout.Milliseconds(), synchronous, extra)
		db, err := sql.Open("sqlite", dsn)
		if err == nil {
			db.SetMaxOpenConns(connections)
			db.SetMaxIdleConns(connections)
		}
		return db, err
	}
	store := &Store{dialect: sqliteDialect, timeout: cfg.Timeout}
	if store.write, err = connect("&_txlock=immediate", 1); err != nil {
		return nil, fault.Internalf("store_open", "store: open SQLite: %w", err)
	}
	if store.read, err = connect("&_pragma=query_only(1)", cfg.MaxConnections); err != nil {
		_ = store.write.Close()
		return nil, fault.Internalf("store_open", "store: open SQLite: %w", err)
	}
	store.dialect.insert = newSQLiteInserter(store.write).insert
	if err := store.checkSQLite(ctx, path); err != nil {
		_ = store.Close()
		return nil, err
	}
	return store, nil
}

// sqliteFile reads what follows "sqlite:". The one parameter is synchronous: full (the default) or extra.
func sqliteFile(name string) (path, synchronous string, err error) {
	path, query, _ := strings.Cut(name, "?")
	if path == "" || strings.HasPrefix(path, "//") || strings.Contains(path, ":memory:") {
		return "", "", fault.Invalidf("store_uri", "store URI sqlite:%s names no file: write sqlite:FILE, such as sqlite:data/leat.db or sqlite:/var/lib/leat/leat.db", name)
	}
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return "", "", fault.Invalidf("store_uri", "store URI sqlite:%s: %w", name, err)
	}
	synchronous = "FULL"
	for key, values := range parameters {
		value := strings.ToUpper(values[len(values)-1])
		switch {
		case key != "synchronous":
			return "", "", fault.Invalidf("store_uri", "store URI sqlite:%s: there is no parameter %q; the only one is synchronous=full|extra", name, key)
		case value != "FULL" && value != "EXTRA":
			return "", "", fault.Invalidf("store_uri",
				"store URI sqlite:%s: synchronous=%s would lose acknowledged records when power fails; full and extra are allowed", name, strings.ToLower(value))
		}
		synchronous = value
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", "", fault.Invalidf("store_uri", "store URI sqlite:%s: %w", name, err)
	}
	return path, synchronous, nil
}

// createFile makes the file and its directories readable by their owner only; what exists stays as it is.
func createFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// checkSQLite connects and verifies what the guarantees rest on. Processes that create a file at once hinder
// each other for a moment, which SQLite reports at once in spite of its busy timeout.
func (s *Store) checkSQLite(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var mode string
	var level int
	for {
		err := s.write.QueryRowContext(ctx, "SELECT * FROM pragma_journal_mode, pragma_synchronous").Scan(&mode, &level)
		if err == nil {
			break
		}
		if code, ok := sqliteCode(err); !ok || code != sqlite3.SQLITE_BUSY || ctx.Err() != nil {
			return s.atOpen(ctx, "open the SQLite file "+path, err, func(error) bool { return ok && code == sqlite3.SQLITE_NOTADB })
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	if mode != "wal" || level < 2 {
		return fault.Invalidf("store_refused",
			"store: SQLite runs %s with journal_mode=%s and synchronous=%d: wal and at least 2 (full) are needed; is it on a network file system?", path, mode, level)
	}
	return nil
}

func sqliteCode(err error) (code int, ok bool) {
	failed, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return 0, false
	}
	return failed.Code() & 0xff, true
}

// sqliteKind: whatever is wrong with the file or the disk is no fault of the values.
func sqliteKind(err error) (fault.Kind, bool) {
	code, ok := sqliteCode(err)
	if !ok {
		return 0, false
	}
	switch code {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT,
		sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL,
		sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOTADB:
		return fault.Unavailable, true
	case sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		return fault.Invalid, true
	}
	return fault.Internal, true
}
