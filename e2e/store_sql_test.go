package e2e

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"math"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

type sqlStore struct {
	db  *sql.DB
	uri string // for leat
}

func openSQL(t testing.TB, driver, source, uri string) *sqlStore {
	db, err := sql.Open(driver, source)
	require.NoError(t, err)
	db.SetMaxIdleConns(0) // a connection that a test cuts is not used again
	t.Cleanup(func() { _ = db.Close() })
	return &sqlStore{db: db, uri: uri}
}

func (s *sqlStore) env() []string { return []string{"LEAT_STORE_URI=" + s.uri} }

func (s *sqlStore) records(t testing.TB) []record {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), `SELECT l.id, COALESCE(l.user_id, ''), COALESCE(p.category, ''),
		COALESCE(c.app, ''), COALESCE(c.url, ''), COALESCE(c.title, ''), COALESCE(l.categorized_data_id, ''),
		COALESCE(l.session, 0), COALESCE(l.session_minutes, 0), COALESCE(l.session_date, ''),
		COALESCE(l.timestamp, 0), COALESCE(l.duration, 0), COALESCE(l.source, ''), COALESCE(l.position, '')
		FROM pomodoro_usage_log l
		LEFT JOIN categorized_data c ON c.id = l.categorized_data_id
		LEFT JOIN category_pattern p ON p.id = l.category_id`)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	var all []record
	for rows.Next() {
		var r record
		var seconds float64
		var position string
		require.NoError(t, rows.Scan(&r.id, &r.user, &r.category, &r.app, &r.url, &r.title, &r.contentID,
			&r.session, &r.minutes, &r.date, &r.millis, &seconds, &r.source, &position))
		r.duration, r.position = int64(math.Round(seconds*1000)), redisID(t, position)
		all = append(all, r)
	}
	require.NoError(t, rows.Err())
	return all
}

func (s *sqlStore) contents(t testing.TB) []content {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), `SELECT c.id, COALESCE(c.app, ''), COALESCE(c.url, ''), COALESCE(c.title, ''),
		COALESCE(p.category, '') FROM categorized_data c LEFT JOIN category_pattern p ON p.id = c.category_id`)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	var all []content
	for rows.Next() {
		var c content
		require.NoError(t, rows.Scan(&c.id, &c.app, &c.url, &c.title, &c.category))
		all = append(all, c)
	}
	require.NoError(t, rows.Err())
	return all
}

func (s *sqlStore) createLog(t testing.TB, id string) {
	t.Helper()
	_, err := s.db.ExecContext(t.Context(), "INSERT INTO pomodoro_usage_log (id) VALUES ($1)", id)
	require.NoError(t, err)
}

func (s *sqlStore) createContent(t testing.TB, c content) {
	t.Helper()
	var category any
	if c.category != "" {
		var id string
		require.NoError(t, s.db.QueryRowContext(t.Context(), "SELECT id FROM category_pattern WHERE category = $1", c.category).Scan(&id))
		category = id
	}
	_, err := s.db.ExecContext(t.Context(), "INSERT INTO categorized_data (id, digest, app, url, title, category_id) VALUES ($1, $2, $3, $4, $5, $6)",
		c.id, digest(c.app, c.url, c.title), c.app, c.url, c.title, category)
	require.NoError(t, err)
}

// digest is what stands for (app, url, title): the first 12 bytes of SHA-256 over them, each preceded by its length.
func digest(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		hash.Write([]byte(part))
	}
	return hex.EncodeToString(hash.Sum(nil)[:12])
}
