package mongo

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"leat/adapters/mongo/mongotest"
	"leat/handlers/fault"
)

var silent = slog.New(slog.DiscardHandler)

// withNext are the migrations of a program that is a version ahead.
func withNext(next migration) []migration { return append(slices.Clone(migrations), next) }

// note is a migration that can be seen.
func note(ctx context.Context, db *mongo.Database) error {
	_, err := db.Collection("notes").InsertOne(ctx, bson.D{{Key: "to", Value: 2}})
	return err
}

func notes(t *testing.T, store *Store) int {
	t.Helper()
	cursor, err := store.database.Collection("notes").Find(t.Context(), bson.D{})
	require.NoError(t, err)
	var documents []bson.D
	require.NoError(t, cursor.All(t.Context(), &documents))
	return len(documents)
}

func requireVersion(t *testing.T, store *Store, want int) {
	t.Helper()
	version, err := store.version(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, version)
	locks, err := store.database.Collection("schema_version").Find(t.Context(), bson.D{{Key: "_id", Value: "lock"}})
	require.NoError(t, err)
	require.False(t, locks.Next(t.Context()), "the lock is given back")
	require.NoError(t, locks.Close(t.Context()))
}

func TestMigrations(t *testing.T) {
	server := mongotest.Start(t)
	database := mongotest.Database(t, server)
	requireVersion(t, openStore(t, server, database), 1)

	failing := errors.New("failing")
	_, err := open(t.Context(), server.URI, database, testConfig, silent, withNext(func(context.Context, *mongo.Database) error { return failing }))
	require.ErrorIs(t, err, failing)
	requireVersion(t, openStore(t, server, database), 1)

	for range 2 {
		ahead, err := open(t.Context(), server.URI, database, testConfig, silent, withNext(note))
		require.NoError(t, err)
		requireVersion(t, ahead, 2)
		require.Equal(t, 1, notes(t, ahead), "it runs once")
		require.NoError(t, ahead.Close())
	}

	_, err = Open(t.Context(), server.URI, database, testConfig, silent)
	require.ErrorContains(t, err, "version 2, this program knows versions up to 1")
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}

func TestSeveralMayOpenAtOnce(t *testing.T) {
	server := mongotest.Start(t)
	database := mongotest.Database(t, server)
	var stores [5]*Store
	var errs [5]error
	var wait sync.WaitGroup
	for n := range stores {
		wait.Go(func() {
			stores[n], errs[n] = open(t.Context(), server.URI, database, testConfig, silent, withNext(note))
		})
	}
	wait.Wait()
	for n, store := range stores {
		require.NoError(t, errs[n])
		requireVersion(t, store, 2)
		require.Equal(t, 1, notes(t, store))
		require.NoError(t, store.Close())
	}
}

func TestLockOfADeadProcessExpires(t *testing.T) {
	server := mongotest.Start(t)
	database := mongotest.Database(t, server)
	store := openStore(t, server, database)
	versions := store.database.Collection("schema_version")
	lock := func(expires time.Time) {
		_, err := versions.InsertOne(t.Context(), versionDocument{ID: "lock", At: bson.NewDateTimeFromTime(expires), Owner: "dead"})
		require.NoError(t, err)
	}
	lock(time.Now().Add(-time.Second))
	require.NoError(t, store.locked(t.Context(), func() error { return nil }))

	lock(time.Now().Add(time.Hour))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := store.locked(ctx, func() error { t.Error("another process holds the lock"); return nil })
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// unique reports the indexes of categorized_data that are unique, beside that on _id.
func unique(t *testing.T, store *Store) (names []string) {
	t.Helper()
	specs, err := store.contents.Indexes().ListSpecifications(t.Context())
	require.NoError(t, err)
	for _, spec := range specs {
		if spec.Unique != nil && *spec.Unique && spec.Name != "_id_" {
			names = append(names, spec.Name)
		}
	}
	return names
}

func TestIndexesOfTheProducerAreKept(t *testing.T) {
	server := mongotest.Start(t)
	database := mongotest.Database(t, server)
	store := openStore(t, server, database)
	require.Equal(t, []string{"app_1_url_1_title_1"}, unique(t, store))

	other := mongotest.Database(t, server)
	theirs := store.client.Database(other).Collection("categorized_data")
	err := store.client.Database(other).RunCommand(t.Context(), bson.D{{Key: "createIndexes", Value: theirs.Name()}, {Key: "indexes", Value: bson.A{bson.D{
		{Key: "key", Value: bson.D{{Key: "app", Value: 1}, {Key: "url", Value: 1}, {Key: "title", Value: 1}}},
		{Key: "name", Value: "content"}, {Key: "unique", Value: true},
	}}}}).Err()
	require.NoError(t, err)
	require.Equal(t, []string{"content"}, unique(t, openStore(t, server, other)))
}

func TestDocumentsThatContradictTheIndex(t *testing.T) {
	server := mongotest.Start(t)
	database := mongotest.Database(t, server)
	other := mongotest.Database(t, server)
	store := openStore(t, server, database)
	for range 2 {
		_, err := store.client.Database(other).Collection("categorized_data").InsertOne(t.Context(),
			bson.D{{Key: "app", Value: "a"}, {Key: "url", Value: "b"}, {Key: "title", Value: "c"}})
		require.NoError(t, err)
	}
	_, err := Open(t.Context(), server.URI, other, testConfig, silent)
	require.ErrorContains(t, err, "categorized_data")
}
