package sqldb

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"time"

	"leat/handlers/activity"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// pageSize is how many usage logs are read at a time, so that no transaction stays open while they are used.
const pageSize = 1000

const selectLogs = `SELECT id, COALESCE(user_id, ''), COALESCE(categorized_data_id, ''), COALESCE(category_id, ''),
	COALESCE(session, 0), COALESCE(session_minutes, 0), COALESCE(session_date, ''), COALESCE(timestamp, 0),
	COALESCE(duration, 0), COALESCE(source, ''), position
	FROM pomodoro_usage_log WHERE position IS NOT NULL AND id `

// insertLogs completes a row of the producer where there is one; a row that has a position stays as it is.
var insertLogs = &insertion{
	table: "pomodoro_usage_log",
	columns: []string{"id", "user_id", "categorized_data_id", "category_id", "session", "session_minutes", "session_date",
		"timestamp", "duration", "source", "position"},
	types: []string{"text", "text", "text", "text", "bigint", "bigint", "text", "bigint", "double precision", "text", "text"},
	conflict: `ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, categorized_data_id = excluded.categorized_data_id,
		category_id = excluded.category_id, session = excluded.session, session_minutes = excluded.session_minutes,
		session_date = excluded.session_date, timestamp = excluded.timestamp, duration = excluded.duration,
		source = excluded.source, position = excluded.position
		WHERE pomodoro_usage_log.position IS NULL`,
}

// FindLogs implements activity.Records.
func (s *Store) FindLogs(ctx context.Context, ids []activity.ID) (map[activity.ID]activity.UsageLog, error) {
	found := make(map[activity.ID]activity.UsageLog, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	return found, s.within(ctx, "find usage logs", func(ctx context.Context) error {
		return s.findLogs(ctx, ids, found)
	})
}

func (s *Store) findLogs(ctx context.Context, ids []activity.ID, found map[activity.ID]activity.UsageLog) error {
	rows, err := s.read.QueryContext(ctx, selectLogs+s.dialect.among, s.dialect.list(texts(ids)))
	if err != nil {
		return err
	}
	return readLogs(rows, func(log activity.UsageLog) { found[log.ID] = log })
}

// AddLogs implements activity.Records. It is one statement and one commit, for up to some thousand logs; only if
// some of the ids are there already, a second statement reads them back.
func (s *Store) AddLogs(ctx context.Context, logs []activity.UsageLog) ([]activity.UsageLog, error) {
	if len(logs) == 0 {
		return nil, nil
	}
	standing := make([]activity.UsageLog, len(logs))
	for i, log := range logs {
		log.Timestamp = time.UnixMilli(log.Timestamp.UnixMilli()).UTC()
		standing[i] = log
	}
	distinct := distinctLogs(standing)
	err := s.within(ctx, "add usage logs", func(ctx context.Context) error {
		added, err := s.dialect.insert(ctx, insertLogs, logColumns(distinct), len(distinct))
		if err != nil || added == int64(len(logs)) {
			return err
		}
		stored := make(map[activity.ID]activity.UsageLog, len(distinct))
		if err := s.findLogs(ctx, pick(distinct, func(l *activity.UsageLog) activity.ID { return l.ID }), stored); err != nil {
			return err
		}
		for i := range standing {
			log, ok := stored[standing[i].ID]
			if !ok {
				return fault.Unavailablef("usage log %s was removed while it was added", standing[i].ID)
			}
			standing[i] = log
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return standing, nil
}

// distinctLogs returns one log for each id, in the order of the ids: writers that lock rows in one order cannot
// wait for each other in a circle.
func distinctLogs(logs []activity.UsageLog) []activity.UsageLog {
	byID := func(a, b activity.UsageLog) int { return bytes.Compare(a.ID[:], b.ID[:]) }
	distinct := logs
	if !slices.IsSortedFunc(logs, byID) {
		distinct = slices.Clone(logs)
		slices.SortStableFunc(distinct, byID)
	}
	for i := 1; i < len(distinct); i++ {
		if distinct[i].ID == distinct[i-1].ID {
			return slices.CompactFunc(slices.Clone(distinct), func(a, b activity.UsageLog) bool { return a.ID == b.ID })
		}
	}
	return distinct
}

func logColumns(logs []activity.UsageLog) []column {
	type log = activity.UsageLog
	return []column{
		pickIDs(logs, func(l *log) activity.ID { return l.ID }),
		pick(logs, func(l *log) string { return l.User }),
		pickIDs(logs, func(l *log) activity.ID { return l.CategorizedDataID }),
		pickIDs(logs, func(l *log) activity.ID { return l.CategoryID }),
		pick(logs, func(l *log) int64 { return int64(l.Session) }),
		pick(logs, func(l *log) int64 { return int64(l.SessionMinutes) }),
		pick(logs, func(l *log) string { return l.SessionDate }),
		pick(logs, func(l *log) int64 { return l.Timestamp.UnixMilli() }),
		pick(logs, func(l *log) float64 { return l.Duration }),
		pick(logs, func(l *log) string { return l.Source }),
		pick(logs, func(l *log) string { return l.Position.Key() }),
	}
}

// Logs implements activity.Records. Logs that are added meanwhile may or may not come.
func (s *Store) Logs(ctx context.Context) iter.Seq2[activity.UsageLog, error] {
	return func(yield func(activity.UsageLog, error) bool) {
		after := ""
		for {
			var page []activity.UsageLog
			err := s.within(ctx, "read usage logs", func(ctx context.Context) error {
				rows, err := s.read.QueryContext(ctx, selectLogs+"> $1 ORDER BY id LIMIT $2", after, pageSize)
				if err != nil {
					return err
				}
				return readLogs(rows, func(log activity.UsageLog) { page = append(page, log) })
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
			after = page[len(page)-1].ID.String()
		}
	}
}

// readLogs hands over every row and closes the rows.
func readLogs(rows *sql.Rows, take func(activity.UsageLog)) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var log activity.UsageLog
		var id, data, category, position string
		var timestamp int64
		if err := rows.Scan(&id, &log.User, &data, &category, &log.Session, &log.SessionMinutes, &log.SessionDate,
			&timestamp, &log.Duration, &log.Source, &position); err != nil {
			return err
		}
		var err [4]error
		log.ID, err[0] = activity.ParseID(id)
		log.CategorizedDataID, err[1] = readID(data)
		log.CategoryID, err[2] = readID(category)
		log.Position, err[3] = delivery.ParseKey(position)
		for _, err := range err {
			if err != nil {
				return fmt.Errorf("usage log %q: %w", id, err)
			}
		}
		log.Timestamp = time.UnixMilli(timestamp).UTC()
		take(log)
	}
	return rows.Err()
}
