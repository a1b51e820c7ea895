package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"leat/handlers/fault"
)

// migrationTimeout bounds one migration, waiting for another process that migrates included.
const migrationTimeout = 10 * time.Minute

// migrate applies what the database lacks of the migrations, each in a transaction of its own with its number.
// A database that is up to date is only read.
func (s *Store) migrate(ctx context.Context, migrations []migration, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, migrationTimeout)
	defer cancel()
	for {
		version, err := s.version(ctx, s.write)
		if err != nil {
			return s.fail(ctx, "read the schema's version", err)
		}
		if version > len(migrations) {
			return fault.Invalidf("store_newer",
				"store: its schema has version %d, this program knows versions up to %d: run a newer leat", version, len(migrations))
		}
		if version == len(migrations) {
			return nil
		}
		name := fmt.Sprintf("migrate the schema to version %d", version+1)
		began := time.Now()
		applied, err := s.apply(ctx, version, migrations[version])
		if err != nil {
			return s.fail(ctx, name, err)
		}
		if applied {
			logger.InfoContext(ctx, "store migrated", "version", version+1, "took", time.Since(began))
		}
	}
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// version returns 0 for an empty database.
func (s *Store) version(ctx context.Context, db querier) (int, error) {
	var exists bool
	if err := db.QueryRowContext(ctx, s.dialect.hasVersions).Scan(&exists); err != nil || !exists {
		return 0, err
	}
	var version int
	err := db.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM schema_version").Scan(&version)
	return version, err
}

// apply leads from a version to the next one, unless another process was first.
func (s *Store) apply(ctx context.Context, from int, statements migration) (applied bool, err error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	if s.dialect.lock != "" {
		if _, err := tx.ExecContext(ctx, s.dialect.lock); err != nil {
			return false, err
		}
	}
	if version, err := s.version(ctx, tx); err != nil || version != from {
		return false, err
	}
	all := append(migration{"CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)"}, statements...)
	for _, statement := range all {
		if _, err := tx.ExecContext(ctx, s.dialect.types.Replace(statement)); err != nil {
			return false, err
		}
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO schema_version (version, applied_at) VALUES ($1, $2)", from+1, time.Now().UnixMilli()); err != nil {
		return false, err
	}
	return true, tx.Commit()
}
