package e2e

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

type mongoStore struct {
	db        *mongo.Database
	uri, name string
}

func connectMongo(t testing.TB, uri, name string) *mongoStore {
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return &mongoStore{db: client.Database(name), uri: uri, name: name}
}

func (s *mongoStore) env() []string {
	return []string{"MONGO_URI=" + s.uri, "MONGO_DATABASE=" + s.name}
}

// all reads a collection.
func all[T any](t testing.TB, s *mongoStore, collection string) []T {
	t.Helper()
	cursor, err := s.db.Collection(collection).Find(t.Context(), bson.D{})
	require.NoError(t, err)
	var documents []T
	require.NoError(t, cursor.All(t.Context(), &documents))
	return documents
}

type categoryDocument struct {
	ID       bson.ObjectID `bson:"_id"`
	Category string        `bson:"category"`
}

type contentDocument struct {
	ID         bson.ObjectID `bson:"_id"`
	App        string        `bson:"app"`
	URL        string        `bson:"url"`
	Title      string        `bson:"title"`
	CategoryID bson.ObjectID `bson:"categoryId,omitempty"`
}

type logDocument struct {
	ID             bson.ObjectID `bson:"_id"`
	User           string        `bson:"userId"`
	ContentID      bson.ObjectID `bson:"categorizedDataId"`
	CategoryID     bson.ObjectID `bson:"categoryId"`
	Session        int           `bson:"session"`
	SessionMinutes int           `bson:"sessionMinutes"`
	SessionDate    string        `bson:"sessionDate"`
	Timestamp      time.Time     `bson:"timestamp"`
	Duration       float64       `bson:"duration"`
	Source         string        `bson:"source"`
	Position       string        `bson:"position"`
	Note           string        `bson:"note"` // of the producer; leat knows nothing of it
}

func (s *mongoStore) categories(t testing.TB) map[bson.ObjectID]string {
	names := map[bson.ObjectID]string{}
	for _, c := range all[categoryDocument](t, s, "category_pattern") {
		names[c.ID] = c.Category
	}
	return names
}

func (s *mongoStore) records(t testing.TB) []record {
	t.Helper()
	names, contents := s.categories(t), map[bson.ObjectID]contentDocument{}
	for _, c := range all[contentDocument](t, s, "categorized_data") {
		contents[c.ID] = c
	}
	var records []record
	for _, d := range all[logDocument](t, s, "pomodoro_usage_log") {
		c := contents[d.ContentID]
		records = append(records, record{
			id: d.ID.Hex(), user: d.User, category: names[d.CategoryID], app: c.App, url: c.URL, title: c.Title,
			contentID: d.ContentID.Hex(), session: d.Session, minutes: d.SessionMinutes, date: d.SessionDate,
			millis: d.Timestamp.UnixMilli(), duration: int64(math.Round(d.Duration * 1000)),
			source: d.Source, position: redisID(t, d.Position),
		})
	}
	return records
}

func (s *mongoStore) contents(t testing.TB) []content {
	t.Helper()
	names := s.categories(t)
	var contents []content
	for _, c := range all[contentDocument](t, s, "categorized_data") {
		contents = append(contents, content{id: c.ID.Hex(), app: c.App, url: c.URL, title: c.Title, category: names[c.CategoryID]})
	}
	return contents
}

func (s *mongoStore) createLog(t testing.TB, id string) {
	t.Helper()
	_, err := s.db.Collection("pomodoro_usage_log").InsertOne(t.Context(), bson.D{
		{Key: "_id", Value: objectID(t, id)}, {Key: "note", Value: "of the producer"},
	})
	require.NoError(t, err)
}

func (s *mongoStore) createContent(t testing.TB, c content) {
	t.Helper()
	document := bson.D{{Key: "_id", Value: objectID(t, c.id)}, {Key: "app", Value: c.app}, {Key: "url", Value: c.url}, {Key: "title", Value: c.title}}
	for id, name := range s.categories(t) {
		if name == c.category {
			document = append(document, bson.E{Key: "categoryId", Value: id})
		}
	}
	_, err := s.db.Collection("categorized_data").InsertOne(t.Context(), document)
	require.NoError(t, err)
}

func objectID(t testing.TB, hex string) bson.ObjectID {
	t.Helper()
	id, err := bson.ObjectIDFromHex(hex)
	require.NoError(t, err)
	return id
}
