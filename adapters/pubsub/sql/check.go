package sql

import (
	"context"

	"leat/handlers/fault"
)

// oldest is the first PostgreSQL with 64-bit transaction ids and snapshots of them: 13.
const oldest = 130000

// Ping implements pubsub.Backend.
func (b *Backend) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	_, err := b.pool.Exec(ctx, "SELECT 1")
	return refusal(ctx, err, "ping")
}

// settings are what the guarantees rest on.
type settings struct {
	version                         int // as 150004
	number, encoding, commit, fsync string
	identifiable                    bool // the cluster's identifier can be read
}

// check connects and verifies the settings.
func (b *Backend) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	var is settings
	err := b.pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'),
		current_setting('server_encoding'), current_setting('synchronous_commit'), current_setting('fsync'),
		coalesce(has_function_privilege('pg_control_system()', 'EXECUTE'), false)`).
		Scan(&is.version, &is.number, &is.encoding, &is.commit, &is.fsync, &is.identifiable)
	if err != nil {
		return refusal(ctx, err, "connect to PostgreSQL")
	}
	if is.fsync == "off" {
		b.log.Warn("PostgreSQL runs with fsync=off: published messages are lost when power fails")
	}
	if b.identifiable = is.identifiable; !is.identifiable {
		b.log.Warn("the role may not call pg_control_system(): a database that is restored into another cluster cannot be told from the one it was")
	}
	return is.judge()
}

func (is settings) judge() error {
	switch {
	case is.version < oldest:
		return fault.Invalidf("version", "sql: this is PostgreSQL %s; the order of messages needs 13 or later, which has transaction ids of 64 bits", is.number)
	case is.encoding != "UTF8":
		return fault.Invalidf("encoding", "sql: the database's encoding is %s, which cannot hold every message: create it with ENCODING 'UTF8'", is.encoding)
	case is.commit == "off":
		return fault.Invalidf("synchronous_commit", "sql: PostgreSQL runs with synchronous_commit=off, which loses published messages in a crash: set it to on for this database or role")
	}
	return nil
}
