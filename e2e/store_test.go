package e2e

import (
	"fmt"
	"path/filepath"
	"testing"

	"leat/adapters/mongo/mongotest"
	"leat/adapters/sqldb/sqldbtest"
)

// record is a usage log as it stands in a store.
type record struct {
	id        string // 24 hexadecimal digits
	user      string
	category  string // by name
	app       string
	url       string
	title     string
	contentID string
	session   int
	minutes   int
	date      string
	millis    int64 // the timestamp, in epoch milliseconds
	duration  int64 // in milliseconds
	source    string
	position  string // as Redis writes it; empty if leat did not write the record
}

// content is a document of categorized_data.
type content struct {
	id, app, url, title string
	category            string // by name
}

// store is a database beside leat: what leat wrote is read without leat's code.
type store interface {
	// env tells leat where the store is.
	env() []string
	// records returns all usage logs, those that the producer created among them.
	records(t testing.TB) []record
	contents(t testing.TB) []content
	// create writes what a producer may have created before: a usage log that has an id only, and content with the
	// given id, with the category of that name or, for "", without one.
	createLog(t testing.TB, id string)
	createContent(t testing.TB, c content)
}

// stores makes a new, empty store of each kind.
var stores = []struct {
	name string
	open func(t testing.TB) store
	slow bool // too slow for a load
}{
	{name: "sqlite", open: openSQLite},
	{name: "postgres", open: openPostgres},
	{name: "mongo", open: openMongo, slow: true},
}

// onEach runs a test on every kind of store.
func onEach(t *testing.T, test func(t *testing.T, db store)) {
	for _, kind := range stores {
		t.Run(kind.name, func(t *testing.T) { test(t, kind.open(t)) })
	}
}

func openSQLite(t testing.TB) store {
	file := filepath.Join(t.TempDir(), "leat.db")
	return openSQL(t, "sqlite", "file:"+file+"?_pragma=busy_timeout(10000)", "sqlite:"+file)
}

func openPostgres(t testing.TB) store {
	uri := sqldbtest.Postgres(t)
	return openSQL(t, "pgx", uri, uri)
}

func openMongo(t testing.TB) store {
	server := mongotest.Start(t)
	return connectMongo(t, server.URI, mongotest.Database(t, server))
}

// redisID turns the key in which positions are stored, 20 decimal digits twice, into an entry id.
func redisID(t testing.TB, key string) string {
	if key == "" {
		return ""
	}
	var major, minor uint64
	if n, err := fmt.Sscanf(key, "%20d-%20d", &major, &minor); n != 2 || err != nil {
		t.Fatalf("the store holds the position %q: %v", key, err)
	}
	return fmt.Sprintf("%d-%d", major, minor)
}
