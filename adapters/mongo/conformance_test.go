package mongo

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"leat/adapters/mongo/mongotest"
	"leat/handlers/activity"
	"leat/handlers/activity/recordstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testConfig = Config{Timeout: 30 * time.Second, MaxConnections: 8}

// openStore opens a store until the test ends.
func openStore(t testing.TB, server mongotest.Server, database string) *Store {
	t.Helper()
	store, err := Open(context.Background(), server.URI, database, testConfig, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// ferretLacks are the cases that FerretDB cannot pass.
var ferretLacks = map[string]string{
	"logs/of two that complete the same documents one wins": "FerretDB applies an update without checking its filter again under a lock: the last one wins",
	"contents/of two that give a category one wins":         "FerretDB applies an update without checking its filter again under a lock: the last one wins",
}

func TestConformance(t *testing.T) {
	server := mongotest.Start(t)
	var lacks map[string]string
	if server.Ferret {
		lacks = ferretLacks
	}
	recordstest.Run(t, func(t *testing.T) recordstest.Store {
		database := mongotest.Database(t, server)
		store := openStore(t, server, database)
		return recordstest.Store{
			Handle: store, Other: openStore(t, server, database),
			InsertLog:     func(t *testing.T, log activity.UsageLog) { insertProducersLog(t, store, log) },
			InsertContent: func(t *testing.T, data activity.CategorizedData) { insertProducersContent(t, store, data) },
			Lacks:         lacks,
		}
	})
}

func insertProducersLog(t *testing.T, store *Store, log activity.UsageLog) {
	document := bson.D{{Key: "_id", Value: bson.ObjectID(log.ID)}}
	if log.User != "" {
		document = append(document, bson.E{Key: "userId", Value: log.User}, bson.E{Key: "duration", Value: log.Duration},
			bson.E{Key: "sessionDate", Value: bson.NewDateTimeFromTime(log.Timestamp)}, bson.E{Key: "session", Value: int32(log.Session)},
			bson.E{Key: "_class", Value: "app.UsageLog"})
	}
	_, err := store.logs.InsertOne(t.Context(), document)
	require.NoError(t, err)
}

func insertProducersContent(t *testing.T, store *Store, data activity.CategorizedData) {
	document := bson.D{{Key: "_id", Value: bson.ObjectID(data.ID)}}
	for _, field := range []struct{ name, value string }{{"app", data.Content.App}, {"url", data.Content.URL}, {"title", data.Content.Title}} {
		if field.value != "" {
			document = append(document, bson.E{Key: field.name, Value: field.value})
		}
	}
	if !data.CategoryID.IsZero() {
		document = append(document, bson.E{Key: "categoryId", Value: bson.ObjectID(data.CategoryID)})
	}
	_, err := store.contents.InsertOne(t.Context(), document)
	require.NoError(t, err)
}
