// Package sqldbtest gives tests a PostgreSQL database of their own.
package sqldbtest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// local is the server that tests use unless LEAT_TEST_POSTGRES_URI names another.
const local = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"

// Postgres returns the URI of an empty schema, which is dropped when the test ends. Without a server the test
// is skipped, or fails where the environment says CI=true.
func Postgres(t testing.TB) string {
	t.Helper()
	uri := os.Getenv("LEAT_TEST_POSTGRES_URI")
	if uri == "" {
		uri = local
	}
	schema := "leat_test_" + strings.ToLower(rand.Text())
	if err := execute(uri, "CREATE SCHEMA "+schema); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no PostgreSQL for this test (LEAT_TEST_POSTGRES_URI): %v", err)
		}
		t.Skipf("no PostgreSQL for this test (LEAT_TEST_POSTGRES_URI): %v", err)
	}
	t.Cleanup(func() {
		if err := execute(uri, "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Errorf("drop the schema of the test: %v", err)
		}
	})
	parsed, err := url.Parse(uri)
	if err != nil {
		t.Fatalf("LEAT_TEST_POSTGRES_URI: %v", err)
	}
	query := parsed.Query()
	query.Set("search_path", schema)
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

func execute(uri, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, uri)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
