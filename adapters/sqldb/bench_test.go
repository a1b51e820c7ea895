//go:build !noembedded

package sqldb

import (
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/delivery"
)

const benchRows = 500

// benchLogs are logs as the pipeline writes them: ids that begin with the same second, then a hash.
func benchLogs(round int) []activity.UsageLog {
	logs := make([]activity.UsageLog, benchRows)
	for i := range logs {
		var id activity.ID
		_, _ = rand.Read(id[:])
		binary.BigEndian.PutUint32(id[:], uint32(timestamp.Unix()+int64(round)))
		logs[i] = activity.UsageLog{
			ID: id, User: fmt.Sprintf("user-%d", i%100), CategorizedDataID: activity.ID{1, byte(i)}, CategoryID: activity.ID{2, byte(i % 21)},
			Session: 3, SessionMinutes: 25, SessionDate: "2025-10-14", Timestamp: timestamp.Add(time.Duration(round) * time.Second),
			Duration: 12.5, Source: "pomodoro_pattern_match_stream",
			Position: delivery.Position{Major: uint64(timestamp.UnixMilli()) + uint64(round), Minor: uint64(i)},
		}
	}
	return logs
}

// BenchmarkAddLogs compares AddLogs with the least that stores the same rows as durably: one prepared INSERT a row,
// and all rows of a batch in one transaction.
func BenchmarkAddLogs(b *testing.B) {
	for name, uri := range databases {
		for how, add := range map[string]func(b *testing.B, store *Store, logs []activity.UsageLog){
			"AddLogs": func(b *testing.B, store *Store, logs []activity.UsageLog) {
				_, err := store.AddLogs(b.Context(), logs)
				require.NoError(b, err)
			},
			"AddLogsAgain": func(b *testing.B, store *Store, logs []activity.UsageLog) {
				for range 2 {
					_, err := store.AddLogs(b.Context(), logs)
					require.NoError(b, err)
				}
			},
			"loop": insertLoop,
		} {
			b.Run(name+"/"+how, func(b *testing.B) {
				store := openStore(b, uri(b))
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
}

func insertLoop(b *testing.B, store *Store, logs []activity.UsageLog) {
	insert := func(tx *sql.Tx) error {
		statement, err := tx.PrepareContext(b.Context(), `INSERT INTO pomodoro_usage_log VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`)
		if err != nil {
			return err
		}
		defer func() { _ = statement.Close() }()
		for _, l := range logs {
			if _, err := statement.ExecContext(b.Context(), l.ID.String(), l.User, l.CategorizedDataID.String(), l.CategoryID.String(), l.Session,
				l.SessionMinutes, l.SessionDate, l.Timestamp.UnixMilli(), l.Duration, l.Source, l.Position.Key()); err != nil {
				return err
			}
		}
		return nil
	}
	tx, err := store.write.BeginTx(b.Context(), nil)
	require.NoError(b, err)
	require.NoError(b, insert(tx))
	require.NoError(b, tx.Commit())
}
