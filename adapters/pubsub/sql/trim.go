package sql

import (
	"context"
)

const (
	// trimChunk is how many messages one statement deletes, at most, so that none holds a transaction open for long.
	trimChunk = 2000
	// trimRounds bounds what one call does.
	trimRounds = 50
)

// trim deletes messages that are older than Config.Retain and that every group has finished, those of the stock adapter included. A
// group that nobody reads any more keeps them all.
func (b *Backend) trim(ctx context.Context, topic *topic) error {
	if b.cfg.Retain <= 0 {
		return nil
	}
	for range trimRounds {
		n, err := b.trimOnce(ctx, topic)
		if err != nil || n < trimChunk {
			return err
		}
	}
	return nil
}

func (b *Backend) trimOnce(ctx context.Context, topic *topic) (int64, error) {
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	tag, err := b.pool.Exec(ctx, `
WITH done AS (
	SELECT last_processed_transaction_id AS xid, coalesce(offset_acked, 0) AS o FROM `+topic.offsets+` ORDER BY 1, 2 LIMIT 1
), first AS (
	SELECT transaction_id, "offset", created_at FROM `+topic.messages+`
	WHERE (transaction_id, "offset") <= ((SELECT xid FROM done), (SELECT o FROM done))
	ORDER BY transaction_id, "offset" LIMIT $2
), old AS (
	SELECT transaction_id, "offset" FROM first WHERE created_at < now() - $1::interval
)
DELETE FROM `+topic.messages+` m USING old WHERE m.transaction_id = old.transaction_id AND m."offset" = old."offset"`, b.cfg.Retain, trimChunk)
	return tag.RowsAffected(), err
}
