package mongo

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"leat/adapters/mongo/mongotest"
	"leat/handlers/activity"
	"leat/handlers/delivery"
)

// The names and types that the producer and other readers know.
func TestDocumentsAsOthersSeeThem(t *testing.T) {
	server := mongotest.Start(t)
	store := openStore(t, server, mongotest.Database(t, server))
	content := activity.Content{App: "Google Chrome", URL: "https://example.com", Title: "Example"}
	place := delivery.Position{Major: 0x199e21ddef4, Minor: 1}
	_, err := store.AddContents(t.Context(), []activity.CategorizedData{
		{ID: content.ID(), Content: content, CategoryID: activity.ID{2}, LLM: true, Source: "stream", Position: place}})
	require.NoError(t, err)
	_, err = store.AddLogs(t.Context(), []activity.UsageLog{{
		ID: activity.ID{1}, User: "u1", CategorizedDataID: content.ID(), CategoryID: activity.ID{2}, Session: 3, SessionMinutes: 25,
		SessionDate: "2025-10-14", Timestamp: bson.DateTime(1760421032500).Time(), Duration: 12, Source: "stream", Position: place}})
	require.NoError(t, err)
	require.NoError(t, store.SeedPatterns(t.Context(), []activity.CategoryPatterns{{ID: activity.ID{3}, Category: "SNS", Apps: []string{"discord"}}}))

	for collection, want := range map[string]bson.D{
		"categorized_data": {
			{Key: "_id", Value: bson.ObjectID(content.ID())}, {Key: "app", Value: "Google Chrome"}, {Key: "url", Value: "https://example.com"},
			{Key: "title", Value: "Example"}, {Key: "categoryId", Value: bson.ObjectID{2}}, {Key: "isLLMBased", Value: true},
			{Key: "source", Value: "stream"}, {Key: "position", Value: "00000001760435232500-00000000000000000001"}},
		"pomodoro_usage_log": {
			{Key: "_id", Value: bson.ObjectID{1}}, {Key: "userId", Value: "u1"}, {Key: "categorizedDataId", Value: bson.ObjectID(content.ID())},
			{Key: "categoryId", Value: bson.ObjectID{2}}, {Key: "session", Value: int32(3)}, {Key: "sessionMinutes", Value: int32(25)},
			{Key: "sessionDate", Value: "2025-10-14"}, {Key: "timestamp", Value: bson.DateTime(1760421032500)}, {Key: "duration", Value: 12.0},
			{Key: "source", Value: "stream"}, {Key: "position", Value: "00000001760435232500-00000000000000000001"}},
		"category_pattern": {
			{Key: "_id", Value: bson.ObjectID{3}}, {Key: "category", Value: "SNS"}, {Key: "appPatterns", Value: bson.A{"discord"}},
			{Key: "domainPatterns", Value: bson.A{}}, {Key: "titlePatterns", Value: bson.A{}}},
	} {
		var got bson.D
		require.NoError(t, store.database.Collection(collection).FindOne(t.Context(), bson.D{}).Decode(&got))
		require.Equal(t, want, got)
	}
}

// Other programs may write null where leat leaves a field out, and fields that leat does not know.
func TestDocumentsOfOthers(t *testing.T) {
	server := mongotest.Start(t)
	store := openStore(t, server, mongotest.Database(t, server))
	_, err := store.contents.InsertOne(t.Context(), bson.D{{Key: "_id", Value: bson.ObjectID{9}}, {Key: "_class", Value: "app.Data"},
		{Key: "app", Value: "Mail"}, {Key: "url", Value: nil}, {Key: "title", Value: nil}, {Key: "categoryId", Value: nil}, {Key: "isLLMBased", Value: nil}})
	require.NoError(t, err)
	content := activity.Content{App: "Mail"}
	found, err := store.FindContents(t.Context(), []activity.Content{content})
	require.NoError(t, err)
	require.Equal(t, map[activity.Content]activity.CategorizedData{content: {ID: activity.ID{9}, Content: content}}, found)

	given := activity.CategorizedData{ID: content.ID(), Content: content, CategoryID: activity.ID{2}, Source: "stream", Position: delivery.Position{Major: 1}}
	standing, err := store.AddContents(t.Context(), []activity.CategorizedData{given})
	require.NoError(t, err)
	given.ID = activity.ID{9}
	require.Equal(t, []activity.CategorizedData{given}, standing)

	_, err = store.patterns.InsertOne(t.Context(), bson.D{{Key: "_id", Value: bson.ObjectID{4}}, {Key: "category", Value: "Game"}, {Key: "appPatterns", Value: nil}})
	require.NoError(t, err)
	patterns, err := store.Patterns(t.Context())
	require.NoError(t, err)
	require.Equal(t, []activity.CategoryPatterns{{ID: activity.ID{4}, Category: "Game"}}, patterns)
}

// Who reads a document before it is complete and updates it afterwards must not change it.
func TestLateUpdatesChangeNothing(t *testing.T) {
	server := mongotest.Start(t)
	store := openStore(t, server, mongotest.Database(t, server))
	log := activity.UsageLog{ID: activity.ID{1}, User: "first", Timestamp: began, Source: "stream", Position: delivery.Position{Major: 1}}
	_, err := store.AddLogs(t.Context(), []activity.UsageLog{log})
	require.NoError(t, err)
	data := activity.CategorizedData{ID: activity.ID{2}, Content: activity.Content{App: "a"}, CategoryID: activity.ID{3}, Source: "stream", Position: delivery.Position{Major: 1}}
	_, err = store.AddContents(t.Context(), []activity.CategorizedData{data})
	require.NoError(t, err)

	late := fromLog(log)
	late.User = "late"
	_, err = store.logs.BulkWrite(t.Context(), []mongo.WriteModel{late.completion()})
	require.NoError(t, err)
	_, err = store.contents.BulkWrite(t.Context(), []mongo.WriteModel{
		classification(activity.CategorizedData{ID: data.ID}, activity.CategorizedData{CategoryID: activity.ID{4}})})
	require.NoError(t, err)

	logs, err := store.FindLogs(t.Context(), []activity.ID{log.ID})
	require.NoError(t, err)
	require.Equal(t, log, logs[log.ID])
	contents, err := store.FindContents(t.Context(), []activity.Content{data.Content})
	require.NoError(t, err)
	require.Equal(t, data, contents[data.Content])
}
