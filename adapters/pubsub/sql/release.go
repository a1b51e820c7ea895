package sql

import (
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"leat/adapters/pubsub/inflight"
	"leat/handlers/delivery"
)

// columnsOf lays positions out as two arrays, in their order: statements over many claims lock them in the same order.
func columnsOf(positions []delivery.Position) (xids []uint64, offsets []int64) {
	slices.SortFunc(positions, func(a, b delivery.Position) int {
		if a.Less(b) {
			return -1
		}
		return 1
	})
	xids, offsets = make([]uint64, len(positions)), make([]int64, len(positions))
	for n, position := range positions {
		xids[n], offsets[n] = position.Major, int64(position.Minor)
	}
	return xids, offsets
}

func positionsOf(items []*inflight.Item[entry]) []delivery.Position {
	positions := make([]delivery.Position, len(items))
	for n, it := range items {
		positions[n] = it.Entry.position
	}
	return positions
}

func positionsOfIDs(ids map[string]struct{}) []delivery.Position {
	positions := make([]delivery.Position, 0, len(ids))
	for id := range maps.Keys(ids) {
		if position, err := delivery.ParsePosition(id); err == nil {
			positions = append(positions, position)
		}
	}
	return positions
}

// Ack implements inflight.Source: acked is what has no claim and lies below the cursor.
func (s *source) Ack(ctx context.Context, items []*inflight.Item[entry]) error {
	ctx, cancel := s.backend.bounded(ctx)
	defer cancel()
	return failure(ctx, s.backend.deleteClaims(ctx, s.place().group, positionsOf(items)), "ack %d messages of %q", len(items), s.name)
}

func (b *Backend) deleteClaims(ctx context.Context, group int, positions []delivery.Position) error {
	xids, offsets := columnsOf(positions)
	_, err := b.pool.Exec(ctx, `DELETE FROM leat_claims c USING unnest($2::xid8[], $3::bigint[]) AS a (xid, o)
		WHERE c.group_id = $1 AND c.xid = a.xid AND c."offset" = a.o`, group, xids, offsets)
	return err
}

// Return implements inflight.Source: the claims are nobody's, and this delivery does not count.
func (s *source) Return(ctx context.Context, items []*inflight.Item[entry]) error {
	if len(items) == 0 {
		return nil
	}
	ctx, cancel := s.backend.bounded(ctx)
	defer cancel()
	at := s.place()
	xids, offsets := columnsOf(positionsOf(items))
	_, err := s.backend.pool.Exec(ctx, `UPDATE leat_claims c SET consumer = 0, deliveries = c.deliveries - 1
		FROM unnest($3::xid8[], $4::bigint[]) AS a (xid, o)
		WHERE c.group_id = $1 AND c.consumer = $2 AND c.xid = a.xid AND c."offset" = a.o`, at.group, at.consumer, xids, offsets)
	if err == nil {
		s.backend.notifier.ring(s.name)
	}
	return failure(ctx, err, "hand back %d messages of %q", len(items), s.name)
}

const freeUnknown = `UPDATE leat_claims c SET consumer = 0, deliveries = c.deliveries - 1 WHERE c.group_id = $1 AND c.consumer = $2
	AND NOT EXISTS (SELECT FROM unnest($3::xid8[], $4::bigint[]) AS a (xid, o) WHERE a.xid = c.xid AND a.o = c."offset")`

// freeUnknown frees the claims of a consumer that it does not know of, because the reply that told of them got lost. They are not
// counted as delivered.
func (b *Backend) freeUnknown(ctx context.Context, at place, held map[string]struct{}) (int64, error) {
	xids, offsets := columnsOf(positionsOfIDs(held))
	tag, err := b.pool.Exec(ctx, freeUnknown, at.group, at.consumer, xids, offsets)
	return tag.RowsAffected(), err
}

// leave frees all claims of a consumer, and removes it. It reports whether there were any.
func (b *Backend) leave(ctx context.Context, at place, held map[string]struct{}) (left bool, err error) {
	xids, offsets := columnsOf(positionsOfIDs(held))
	batch := &pgx.Batch{}
	batch.Queue(freeUnknown, at.group, at.consumer, xids, offsets)
	batch.Queue("UPDATE leat_claims SET consumer = 0 WHERE group_id = $1 AND consumer = $2", at.group, at.consumer)
	batch.Queue("DELETE FROM leat_consumers WHERE id = $1", at.consumer)
	batch.Queue("SELECT EXISTS (SELECT FROM leat_claims WHERE group_id = $1 AND consumer = 0)", at.group).
		QueryRow(func(row pgx.Row) error { return row.Scan(&left) })
	err = b.pool.SendBatch(ctx, batch).Close()
	return left, err
}
