package mongo

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"leat/adapters/mongo/mongotest"
	"leat/handlers/activity"
	"leat/handlers/delivery"
)

const benchRows = 500

var began = time.Date(2025, 10, 14, 9, 47, 12, 0, time.UTC)

// benchLogs are logs as the pipeline writes them: ids that begin with the same second, then a hash.
func benchLogs(round int) []activity.UsageLog {
	logs := make([]activity.UsageLog, benchRows)
	for i := range logs {
		var id activity.ID
		_, _ = rand.Read(id[:])
		binary.BigEndian.PutUint32(id[:], uint32(began.Unix()+int64(round)))
		logs[i] = activity.UsageLog{
			ID: id, User: fmt.Sprintf("user-%d", i%100), CategorizedDataID: activity.ID{1, byte(i)}, CategoryID: activity.ID{2, byte(i % 21)},
			Session: 3, SessionMinutes: 25, SessionDate: "2025-10-14", Timestamp: began.Add(time.Duration(round) * time.Second),
			Duration: 12.5, Source: "pomodoro_pattern_match_stream",
			Position: delivery.Position{Major: uint64(began.UnixMilli()) + uint64(round), Minor: uint64(i)},
		}
	}
	return logs
}

// BenchmarkAddLogs compares AddLogs with InsertMany of the same documents. On FerretDB the figures say what the
// adapter adds, not what MongoDB does.
func BenchmarkAddLogs(b *testing.B) {
	server := mongotest.Start(b)
	for how, add := range map[string]func(b *testing.B, store *Store, logs []activity.UsageLog){
		"AddLogs": func(b *testing.B, store *Store, logs []activity.UsageLog) {
			_, err := store.AddLogs(b.Context(), logs)
			require.NoError(b, err)
		},
		"InsertMany": func(b *testing.B, store *Store, logs []activity.UsageLog) {
			documents := make([]bson.D, len(logs))
			for i, l := range logs {
				documents[i] = bson.D{
					{Key: "_id", Value: bson.ObjectID(l.ID)}, {Key: "userId", Value: l.User},
					{Key: "categorizedDataId", Value: bson.ObjectID(l.CategorizedDataID)}, {Key: "categoryId", Value: bson.ObjectID(l.CategoryID)},
					{Key: "session", Value: l.Session}, {Key: "sessionMinutes", Value: l.SessionMinutes}, {Key: "sessionDate", Value: l.SessionDate},
					{Key: "timestamp", Value: l.Timestamp}, {Key: "duration", Value: l.Duration},
					{Key: "source", Value: l.Source}, {Key: "position", Value: l.Position.Key()},
				}
			}
			_, err := store.logs.InsertMany(b.Context(), documents, options.InsertMany().SetOrdered(false))
			require.NoError(b, err)
		},
	} {
		b.Run(how, func(b *testing.B) {
			store := openStore(b, server, mongotest.Database(b, server))
			b.ReportAllocs()
			b.ResetTimer()
			for round := range b.N {
				b.StopTimer()
				logs := benchLogs(round)
				b.StartTimer()
				add(b, store, logs)
			}
			b.ReportMetric(float64(benchRows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
