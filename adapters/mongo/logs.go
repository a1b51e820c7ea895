package mongo

import (
	"context"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"leat/handlers/activity"
	"leat/handlers/fault"
)

// pageSize is how many usage logs are read at a time, so that no cursor stays open while they are used.
const pageSize = 1000

// FindLogs implements activity.Records.
func (s *Store) FindLogs(ctx context.Context, ids []activity.ID) (map[activity.ID]activity.UsageLog, error) {
	found := make(map[activity.ID]activity.UsageLog, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	return found, s.within(ctx, "find usage logs", func(ctx context.Context) error { return s.findLogs(ctx, ids, found) })
}

func (s *Store) findLogs(ctx context.Context, ids []activity.ID, found map[activity.ID]activity.UsageLog) error {
	cursor, err := s.logs.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: objectIDs(ids)}}}, written})
	if err != nil {
		return err
	}
	return readLogs(ctx, cursor, func(log activity.UsageLog) { found[log.ID] = log })
}

// Filters for what leat wrote, and for what only a producer did.
var (
	written   = bson.E{Key: "position", Value: bson.D{{Key: "$exists", Value: true}}}
	unwritten = bson.E{Key: "position", Value: bson.D{{Key: "$exists", Value: false}}}
)

// AddLogs implements activity.Records. It is one insert; only where a document is there already, it is read back,
// and completed if a producer created it.
func (s *Store) AddLogs(ctx context.Context, logs []activity.UsageLog) ([]activity.UsageLog, error) {
	if len(logs) == 0 {
		return nil, nil
	}
	standing := make([]activity.UsageLog, len(logs))
	documents := make([]logDocument, len(logs))
	for i, log := range logs {
		log.Timestamp = time.UnixMilli(log.Timestamp.UnixMilli()).UTC()
		standing[i], documents[i] = log, fromLog(log)
	}
	err := s.within(ctx, "add usage logs", func(ctx context.Context) error {
		_, err := s.logs.InsertMany(ctx, documents, options.InsertMany().SetOrdered(false))
		there, err := duplicates(err)
		if err != nil || len(there) == 0 {
			return err
		}
		return s.readBack(ctx, standing, documents, there)
	})
	if err != nil {
		return nil, err
	}
	return standing, nil
}

// readBack replaces logs by the records that stand under their ids; there are the indices of those that could not
// be inserted.
func (s *Store) readBack(ctx context.Context, standing []activity.UsageLog, documents []logDocument, there []int) error {
	stored := make(map[activity.ID]activity.UsageLog, len(there))
	ids := make([]activity.ID, len(there))
	for n, i := range there {
		ids[n] = standing[i].ID
	}
	if err := s.findLogs(ctx, ids, stored); err != nil {
		return err
	}
	var completions []mongo.WriteModel
	ids = ids[:0]
	for _, i := range there {
		if _, ok := stored[standing[i].ID]; !ok {
			ids = append(ids, standing[i].ID)
			completions = append(completions, documents[i].completion())
		}
	}
	if len(completions) > 0 {
		if _, err := s.logs.BulkWrite(ctx, completions, options.BulkWrite().SetOrdered(false)); err != nil {
			return err
		}
		if err := s.findLogs(ctx, ids, stored); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if _, ok := stored[id]; !ok {
			return fault.Unavailablef("usage log %s was removed while it was added", id)
		}
	}
	for i := range standing {
		if log, ok := stored[standing[i].ID]; ok {
			standing[i] = log
		}
	}
	return nil
}

// Logs implements activity.Records. Logs that are added meanwhile may or may not come.
func (s *Store) Logs(ctx context.Context) iter.Seq2[activity.UsageLog, error] {
	return func(yield func(activity.UsageLog, error) bool) {
		filter := bson.D{written}
		opts := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(pageSize).SetBatchSize(pageSize)
		for {
			var page []activity.UsageLog
			err := s.within(ctx, "read usage logs", func(ctx context.Context) error {
				cursor, err := s.logs.Find(ctx, filter, opts)
				if err != nil {
					return err
				}
				return readLogs(ctx, cursor, func(log activity.UsageLog) { page = append(page, log) })
			})
			if err != nil {
				yield(activity.UsageLog{}, err)
				return
			}
			for _, log := range page {
				if !yield(log, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			last := bson.ObjectID(page[len(page)-1].ID)
			filter = bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: last}}}, written}
		}
	}
}

// readLogs hands over every document and closes the cursor.
func readLogs(ctx context.Context, cursor *mongo.Cursor, take func(activity.UsageLog)) error {
	defer func() { _ = cursor.Close(ctx) }()
	for cursor.Next(ctx) {
		var document logDocument
		err := cursor.Decode(&document)
		if err == nil {
			var log activity.UsageLog
			if log, err = document.log(); err == nil {
				take(log)
				continue
			}
		}
		return fmt.Errorf("document %v of pomodoro_usage_log: %w", cursor.Current.Lookup("_id"), err)
	}
	return cursor.Err()
}
