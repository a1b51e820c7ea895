package mongo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"leat/handlers/fault"
)

// A migration leads from one version of the schema to the next. It may run again after a crash in its midst, and
// beside another run of itself, and must then do no harm. A released one is never changed; a change of the schema
// is a new one at the end.
type migration func(ctx context.Context, db *mongo.Database) error

const (
	// migrationTimeout bounds all migrations, waiting for another process that migrates included.
	migrationTimeout = 10 * time.Minute
	// migrationLease is how long a process that died while it migrated holds others up.
	migrationLease = time.Minute
	// migrationPoll is how often a waiting process looks.
	migrationPoll = 200 * time.Millisecond
)

// versionDocument is a document of schema_version: that a version is reached, or the lock, whose id is "lock".
type versionDocument struct {
	ID    any           `bson:"_id"`
	At    bson.DateTime `bson:"at"` // when the version was reached; when the lock expires
	Owner string        `bson:"owner,omitempty"`
}

// migrate applies what the database lacks of the migrations, under a lock. A database that is up to date is only read.
func (s *Store) migrate(ctx context.Context, migrations []migration, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, migrationTimeout)
	defer cancel()
	version, err := s.version(ctx)
	if err == nil && version < len(migrations) {
		err = s.locked(ctx, func() error { return s.apply(ctx, migrations, logger) })
	}
	switch {
	case err != nil && refused(err):
		return fault.Invalidf("store_refused", "store: migrate the schema: %w", err)
	case err != nil:
		return s.fail(ctx, "migrate the schema", err)
	case version > len(migrations):
		return fault.Invalidf("store_newer",
			"store: its schema has version %d, this program knows versions up to %d: run a newer leat", version, len(migrations))
	}
	return nil
}

// version returns 0 for an empty database.
func (s *Store) version(ctx context.Context) (int, error) {
	cursor, err := s.database.Collection("schema_version").Find(ctx, bson.D{})
	if err != nil {
		return 0, err
	}
	var documents []versionDocument
	if err := cursor.All(ctx, &documents); err != nil {
		return 0, err
	}
	latest := 0
	for _, document := range documents {
		if version, ok := document.ID.(int32); ok {
			latest = max(latest, int(version))
		}
	}
	return latest, nil
}

// apply runs what is missing while this process holds the lock.
func (s *Store) apply(ctx context.Context, migrations []migration, logger *slog.Logger) error {
	version, err := s.version(ctx)
	if err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		began := time.Now()
		if err := migrations[version](ctx, s.database); err != nil {
			return fmt.Errorf("to version %d: %w", version+1, err)
		}
		reached := versionDocument{ID: int32(version + 1), At: bson.NewDateTimeFromTime(time.Now())}
		if _, err := s.database.Collection("schema_version").InsertOne(ctx, reached); err != nil && !mongo.IsDuplicateKeyError(err) {
			return err
		}
		logger.InfoContext(ctx, "store migrated", "version", version+1, "took", time.Since(began))
	}
	return nil
}

// locked runs a function while no other process does. The lock is a document, which one process can insert; one
// that expired is removed by whoever waits. A process whose lock expired while it works does no harm: see migration.
func (s *Store) locked(ctx context.Context, run func() error) error {
	versions := s.database.Collection("schema_version")
	owner := rand.Text()
	for {
		lock := versionDocument{ID: "lock", Owner: owner, At: bson.NewDateTimeFromTime(time.Now().Add(migrationLease))}
		_, err := versions.InsertOne(ctx, lock)
		if err == nil {
			break
		}
		if !mongo.IsDuplicateKeyError(err) {
			return err
		}
		var other versionDocument
		err = versions.FindOne(ctx, bson.D{{Key: "_id", Value: "lock"}}).Decode(&other)
		if err == nil && other.At.Time().Before(time.Now()) {
			_, err = versions.DeleteOne(ctx, bson.D{{Key: "_id", Value: "lock"}, {Key: "owner", Value: other.Owner}})
		}
		if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another process migrates: %w", ctx.Err())
		case <-time.After(migrationPoll):
		}
	}
	defer func() { // also when ctx ended meanwhile
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
		defer cancel()
		_, _ = versions.DeleteOne(ctx, bson.D{{Key: "_id", Value: "lock"}, {Key: "owner", Value: owner}})
	}()
	return run()
}
