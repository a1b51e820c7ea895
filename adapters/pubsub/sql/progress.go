package sql

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/delivery"
)

// progress tells how far a group is.
type progress struct {
	backend    *Backend
	options    pubsub.Options
	subscriber *inflight.Subscriber[entry]
}

// Floors implements pubsub.FloorReader: the lowest claim of the group, else what follows its cursor; or what is held here, if that
// is lower. A group that does not exist has the zero position. A topic that does not exist has no source; of tables that were dropped,
// there is only what is held here.
func (p progress) Floors(ctx context.Context, topic string) (map[string]delivery.Position, error) {
	floors := make(map[string]delivery.Position)
	if checkTopic(topic) != nil {
		return floors, nil
	}
	statement, cancel := p.backend.bounded(ctx)
	defer cancel()
	var cursor, claim delivery.Position
	var life incarnation
	var claimed bool
	err := p.backend.pool.QueryRow(statement, `
SELECT `+p.backend.incarnation(topic)+`, coalesce(g.last_xid, '0'), coalesce(g.last_offset, 0),
	c.xid IS NOT NULL, coalesce(c.xid, '0'), coalesce(c."offset", 0)
FROM (VALUES ($1, $2)) asked (topic, name) LEFT JOIN leat_groups g USING (topic, name)
	LEFT JOIN LATERAL (SELECT xid, "offset" FROM leat_claims WHERE group_id = g.id ORDER BY group_id, xid, "offset" LIMIT 1) c ON true
`, topic, p.options.Group).Scan(&life.cluster, &life.table, &cursor.Major, &cursor.Minor, &claimed, &claim.Major, &claim.Minor)
	if err != nil && !absent(err) {
		return nil, failure(ctx, err, "read the ack floor of %q", topic)
	}
	if err == nil {
		floor := claim
		if !claimed && cursor != (delivery.Position{}) {
			floor = cursor.Next()
		}
		floors[life.sourceOf(p.options.Namespace, topic)] = floor
	}
	// After the server: what is acked there has left the window by now, and nothing else has.
	for in, lowest := range p.subscriber.Lowest(topic) {
		if floor, known := floors[in]; !known || lowest.Less(floor) {
			floors[in] = lowest
		}
	}
	return floors, nil
}

// countMost is up to how many messages that wait are counted. What is beyond is estimated by the offsets, which have gaps where
// publishing failed.
const countMost = 100_000

// Lag implements pubsub.LagReader.
func (p progress) Lag(ctx context.Context, topic string) (pubsub.Lag, error) {
	var lag pubsub.Lag
	if checkTopic(topic) != nil {
		return lag, nil
	}
	statement, cancel := p.backend.bounded(ctx)
	defer cancel()
	err := p.backend.pool.QueryRow(statement, `
WITH g AS MATERIALIZED (
	SELECT id, last_xid, last_offset FROM leat_groups WHERE topic = $1 AND name = $2
), waiting AS MATERIALIZED (
	SELECT "offset" FROM `+messagesTable(topic)+`
	WHERE (transaction_id, "offset") > ((SELECT last_xid FROM g), (SELECT last_offset FROM g))
	ORDER BY transaction_id, "offset" LIMIT $3
), last AS (
	SELECT "offset" FROM `+messagesTable(topic)+` ORDER BY transaction_id DESC, "offset" DESC LIMIT 1
)
SELECT n + CASE WHEN n = $3 THEN greatest(0, (SELECT "offset" FROM last) - most) ELSE 0 END,
	(SELECT count(*) FROM leat_claims WHERE group_id = (SELECT id FROM g))
FROM (SELECT count(*) AS n, coalesce(max("offset"), 0) AS most FROM waiting) counted`, topic, p.options.Group, countMost).
		Scan(&lag.Waiting, &lag.Pending)
	if err != nil && !absent(err) {
		return pubsub.Lag{}, failure(ctx, err, "read the lag of %q", topic)
	}
	return lag, nil
}

// absent reports whether a table or a row is not there (yet).
func absent(err error) bool { return errors.Is(err, pgx.ErrNoRows) || hasCode(err, "42P01") }
