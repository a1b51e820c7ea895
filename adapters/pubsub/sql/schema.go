package sql

import (
	"context"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"leat/handlers/fault"
)

// The tables of the groups, of all topics. A group's row is the cursor up to which messages were handed out; leat_claims has
// those of them that are not acked, with consumer 0 when they are nobody's. leat_claims sees a row come and go for each message, so it is vacuumed often.
const groupTables = `
CREATE TABLE IF NOT EXISTS leat_groups (
	id SERIAL PRIMARY KEY,
	topic TEXT NOT NULL,
	name TEXT NOT NULL,
	last_xid XID8 NOT NULL,
	last_offset BIGINT NOT NULL,
	UNIQUE (topic, name)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE TABLE IF NOT EXISTS leat_consumers (
	id SERIAL PRIMARY KEY,
	group_id INT NOT NULL,
	name TEXT NOT NULL,
	leased_until TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS leat_claims (
	group_id INT NOT NULL,
	xid XID8 NOT NULL,
	"offset" BIGINT NOT NULL,
	consumer INT NOT NULL,
	deliveries INT NOT NULL,
	PRIMARY KEY (group_id, xid, "offset")
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX IF NOT EXISTS leat_claims_free ON leat_claims (group_id, xid, "offset") WHERE consumer = 0`

// payloadType is that of tables made here. The stock default, JSON, cannot hold every payload; its readers do not mind.
const payloadType = "BYTEA"

// messagesTables are those of the stock adapter's default schema. The UUID is wider: a producer's own may be longer than 36.
func messagesTables(name string) string {
	return `
CREATE TABLE IF NOT EXISTS ` + messagesTable(name) + ` (
	"offset" BIGSERIAL,
	"uuid" TEXT NOT NULL,
	"created_at" TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
	"payload" ` + payloadType + ` DEFAULT NULL,
	"metadata" JSON DEFAULT NULL,
	"transaction_id" XID8 NOT NULL,
	PRIMARY KEY ("transaction_id", "offset")
);
CREATE TABLE IF NOT EXISTS ` + offsetsTable(name) + ` (
	consumer_group VARCHAR(255) NOT NULL,
	offset_acked BIGINT,
	last_processed_transaction_id XID8 NOT NULL,
	PRIMARY KEY (consumer_group)
)`
}

// schemaLock is the advisory lock under which the stock adapter creates its tables.
var schemaLock = func() int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte("schema_init:watermill"))
	return int64(h.Sum32() & 0x7fffffff)
}()

// topic returns what is known of a topic; the tables are created if they are not there. Errors are as of failure, or Invalid
// if a table is there that cannot be used.
func (b *Backend) topic(ctx context.Context, name string) (*topic, error) {
	b.mu.Lock()
	known := b.topics[name]
	b.mu.Unlock()
	if known != nil {
		return known, nil
	}
	if err := checkTopic(name); err != nil {
		return nil, err
	}
	if err := b.create(ctx, messagesTables(name), messagesTable(name), offsetsTable(name)); err != nil {
		return nil, err
	}
	found, err := b.describe(ctx, name)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.topics[name] = found
	return found, nil
}

// forget makes the next use of a topic look at its tables again.
func (b *Backend) forget(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.topics, name)
}

// create runs statements that create tables, unless all of them are there: then no right to create is needed. Processes that do
// so at the same time, those of the stock adapter included, wait for each other.
func (b *Backend) create(ctx context.Context, statements string, tables ...string) error {
	var missing bool
	err := b.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM unnest($1::text[]) AS t WHERE to_regclass(t) IS NULL)", tables).Scan(&missing)
	if err != nil || !missing {
		return err
	}
	return pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", schemaLock); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

// describe reads the types of the columns of a topic's messages.
func (b *Backend) describe(ctx context.Context, name string) (*topic, error) {
	rows, err := b.pool.Query(ctx, `SELECT attname, format_type(atttypid, NULL) FROM pg_catalog.pg_attribute
		WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`, messagesTable(name))
	if err != nil {
		return nil, err
	}
	columns := make(map[string]string)
	var column, kind string
	if _, err := pgx.ForEachRow(rows, []any{&column, &kind}, func() error { columns[column] = kind; return nil }); err != nil {
		return nil, err
	}
	for _, needed := range []struct {
		column string
		types  []string
	}{
		{"offset", []string{"bigint"}},
		{"transaction_id", []string{"xid8"}},
		{"uuid", []string{"text", "character varying"}},
		{"created_at", []string{"timestamp without time zone", "timestamp with time zone"}},
		{"payload", []string{"bytea", "json", "jsonb", "text", "character varying"}},
		{"metadata", []string{"json", "jsonb", "text"}},
	} {
		if !slices.Contains(needed.types, columns[needed.column]) {
			return nil, fault.Invalidf("schema", "sql: table %s is not one of Watermill's DefaultPostgreSQLSchema: column %q is %q where %s is needed",
				messagesTable(name), needed.column, columns[needed.column], strings.Join(needed.types, " or "))
		}
	}
	return &topic{
		name: name, messages: messagesTable(name), offsets: offsetsTable(name),
		payload: columns["payload"], metadata: columns["metadata"], incarnation: b.incarnation(name),
	}, nil
}
