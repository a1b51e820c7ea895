package sql

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// join creates what must exist for reading a topic in a group, and returns the id of the group.
func (b *Backend) join(ctx context.Context, topic *topic, group string) (id int, err error) {
	if err := b.create(ctx, groupTables, "leat_groups", "leat_consumers", "leat_claims"); err != nil {
		return 0, err
	}
	batch := &pgx.Batch{}
	batch.Queue("INSERT INTO "+topic.offsets+" (consumer_group, offset_acked, last_processed_transaction_id) VALUES ($1, 0, '0') ON CONFLICT DO NOTHING", group)
	batch.Queue("INSERT INTO leat_groups (topic, name, last_xid, last_offset) VALUES ($1, $2, '0', 0) ON CONFLICT DO NOTHING", topic.name, group)
	if err := b.pool.SendBatch(ctx, batch).Close(); err != nil {
		return 0, err
	}
	if err := b.pool.QueryRow(ctx, "SELECT id FROM leat_groups WHERE topic = $1 AND name = $2", topic.name, group).Scan(&id); err != nil {
		return 0, err
	}
	return id, b.adopt(ctx, topic, group, id)
}

// adopt takes over what the stock subscriber has done in the same group: its offset is raised to the floor of ours, and never above, so if
// it is above, the stock subscriber has read on from there.
func (b *Backend) adopt(ctx context.Context, topic *topic, group string, id int) error {
	stock := "SELECT last_processed_transaction_id, coalesce(offset_acked, 0) FROM " + topic.offsets + " WHERE consumer_group = $2"
	batch := &pgx.Batch{}
	batch.Queue("SELECT FROM leat_groups WHERE id = $1 FOR UPDATE", id)
	batch.Queue(`UPDATE leat_groups SET (last_xid, last_offset) = (`+stock+`) WHERE id = $1 AND (last_xid, last_offset) < (`+stock+`)`, id, group)
	batch.Queue(`DELETE FROM leat_claims WHERE group_id = $1 AND (xid, "offset") <= (`+stock+`)`, id, group)
	return b.pool.SendBatch(ctx, batch).Close()
}

// enlist makes a consumer of the group that lives for the lease unless it is renewed, and returns its id, which is never used again.
func (b *Backend) enlist(ctx context.Context, group int) (id int, err error) {
	err = b.pool.QueryRow(ctx, "INSERT INTO leat_consumers (group_id, name, leased_until) VALUES ($1, $2, now() + $3) RETURNING id",
		group, b.cfg.Consumer, b.cfg.Lease).Scan(&id)
	return id, err
}

// raiseStock raises the stock offset of the group to its floor, so that a stock subscriber of the group goes on from there. While such a one
// holds the row, nothing is done.
func (b *Backend) raiseStock(ctx context.Context, topic *topic, group string, id int) error {
	_, err := b.pool.Exec(ctx, `
WITH floor AS (
	(SELECT xid, "offset" - 1 AS o FROM leat_claims WHERE group_id = $1 ORDER BY xid, "offset" LIMIT 1)
	UNION ALL
	SELECT last_xid, last_offset FROM leat_groups WHERE id = $1
	ORDER BY xid, o LIMIT 1
), stock AS (
	SELECT consumer_group FROM `+topic.offsets+` WHERE consumer_group = $2
		AND (last_processed_transaction_id, coalesce(offset_acked, 0)) < (SELECT xid, o FROM floor)
	FOR UPDATE SKIP LOCKED
)
UPDATE `+topic.offsets+` SET last_processed_transaction_id = xid, offset_acked = o FROM floor
	WHERE consumer_group IN (SELECT consumer_group FROM stock)`, id, group)
	return err
}
