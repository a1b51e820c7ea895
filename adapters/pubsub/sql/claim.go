package sql

import (
	"context"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/delivery"
)

// columns are those of a message m, in the order in which scan reads them. The payload comes as it is stored: if the type of its column
// changes, the server says so. A time without a zone is of the session's zone: the server's default, as it was for publishers that set none.
const columns = `m.uuid, m.payload, m.metadata::text,
	CASE WHEN isfinite(m.created_at) THEN (extract(epoch FROM m.created_at::timestamptz) * 1000)::bigint END, `

// newMessages claims the next messages of a group, and moves its cursor to the last of them. Only those are read below which no
// transaction is under way: a message that is committed later has a higher position, so that none is ever skipped.
// Parameters: group, consumer, messages, bytes.
func (t *topic) newMessages() string {
	return `
WITH cursor AS MATERIALIZED (
	SELECT last_xid, last_offset FROM leat_groups WHERE id = $1
), next AS (
	SELECT m.*, ` + t.payloadSize("m.payload") + ` AS size FROM ` + t.messages + ` m
	WHERE (m.transaction_id, m."offset") > ((SELECT last_xid FROM cursor), (SELECT last_offset FROM cursor))
		AND m.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
	ORDER BY m.transaction_id, m."offset" LIMIT $3
), sized AS (
	SELECT next.*, sum(size) OVER (ORDER BY transaction_id, "offset") - size AS before FROM next
), m AS MATERIALIZED (
	SELECT * FROM sized WHERE before < $4
), claimed AS (
	INSERT INTO leat_claims (group_id, xid, "offset", consumer, deliveries) SELECT $1, transaction_id, "offset", $2, 1 FROM m
), moved AS (
	UPDATE leat_groups SET (last_xid, last_offset) = (SELECT transaction_id, "offset" FROM m ORDER BY transaction_id DESC, "offset" DESC LIMIT 1)
	WHERE id = $1 AND EXISTS (SELECT FROM m)
)
SELECT m.transaction_id, m."offset", 1, ` + columns + t.incarnation + ` FROM m ORDER BY m.transaction_id, m."offset"`
}

// freedMessages gives claims that are nobody's to a consumer. Their messages may be gone. Parameters as of newMessages.
func (t *topic) freedMessages() string {
	return `
WITH freed AS MATERIALIZED (
	SELECT c.xid, c."offset", ` + t.payloadSize("m.payload") + ` AS size FROM leat_claims c
		LEFT JOIN ` + t.messages + ` m ON m.transaction_id = c.xid AND m."offset" = c."offset"
	WHERE c.group_id = $1 AND c.consumer = 0 ORDER BY c.xid, c."offset" LIMIT $3 FOR UPDATE OF c SKIP LOCKED
), sized AS (
	SELECT xid, "offset", sum(size) OVER (ORDER BY xid, "offset") - size AS before FROM freed
), taken AS (
	UPDATE leat_claims c SET consumer = $2, deliveries = c.deliveries + 1 FROM sized f
	WHERE f.before < $4 AND c.group_id = $1 AND c.xid = f.xid AND c."offset" = f."offset"
	RETURNING c.xid, c."offset", c.deliveries
)
SELECT t.xid, t."offset", t.deliveries, ` + columns + t.incarnation + ` FROM taken t
	LEFT JOIN ` + t.messages + ` m ON m.transaction_id = t.xid AND m."offset" = t."offset"
ORDER BY t.xid, t."offset"`
}

func (s *source) claimNew(ctx context.Context, n int) ([]*inflight.Item[entry], error) {
	at := s.place()
	items, _, err := s.claim(ctx, at, at.topic.newMessages(), n)
	return items, err
}

// claimFreed takes over what other consumers, or earlier lives of this one, have left. Claims whose messages were deleted
// are acked unseen.
func (s *source) claimFreed(ctx context.Context, n int) ([]*inflight.Item[entry], error) {
	at := s.place()
	items, deleted, err := s.claim(ctx, at, at.topic.freedMessages(), n)
	if err != nil {
		return nil, err
	}
	s.freed = len(items)+len(deleted) > 0
	held := s.held()
	items = slices.DeleteFunc(items, func(it *inflight.Item[entry]) bool { // freed by others when our lease had ended
		_, here := held[it.ID]
		return here && s.sub.Again(it.Source, it.ID)
	})
	if len(deleted) > 0 {
		if err := s.backend.deleteClaims(ctx, at.group, deleted); err != nil {
			s.unknown = true
		} else {
			s.sub.Observe(s.name, pubsub.EventTrimmed, len(deleted))
		}
	}
	return items, nil
}

// claim runs a claiming statement in a transaction of its own, and returns what it got, and the positions of what was deleted.
func (s *source) claim(ctx context.Context, at place, statement string, n int) (items []*inflight.Item[entry], deleted []delivery.Position, err error) {
	batch := &pgx.Batch{}
	s.lock(batch, at.group)
	batch.Queue(statement, at.group, at.consumer, n, largeReply).Query(func(rows pgx.Rows) error {
		items, deleted, err = s.scan(rows, n)
		return err
	})
	if err := s.backend.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, nil, err
	}
	return items, deleted, nil
}

// scan makes items of rows of xid, offset, deliveries, columns and incarnation.
func (s *source) scan(rows pgx.Rows, n int) (items []*inflight.Item[entry], deleted []delivery.Position, err error) {
	for rows.Next() {
		var (
			it        = new(inflight.Item[entry])
			life      incarnation
			uuid      *string
			metadata  []byte
			published *int64
			e         = &it.Entry
			offset    int64
		)
		if err := rows.Scan(&e.position.Major, &offset, &it.Deliveries, &uuid, &e.payload, &metadata, &published, &life.cluster, &life.table); err != nil {
			return nil, nil, err
		}
		e.position.Minor = uint64(offset)
		if uuid == nil {
			deleted = append(deleted, e.position)
			continue
		}
		it.Source = s.sourceOf(life)
		e.uuid = *uuid
		e.metadata, it.Malformed = decodeMetadata(metadata)
		if published != nil {
			it.PublishedAt = strconv.FormatInt(*published, 10)
		}
		it.ID, it.Size = e.position.String(), e.size()
		if items == nil {
			items = make([]*inflight.Item[entry], 0, n)
		}
		items = append(items, it)
	}
	return items, deleted, rows.Err()
}
