package sql

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"leat/adapters/pubsub/inflight"
	"leat/handlers/delivery"
)

// retryKeep is how soon the keeper tries again after it failed, unless the lease is shorter.
const retryKeep = time.Second

// Keep implements inflight.Source: it renews the lease every third of it, and does what keeps the tables in order. Each process of the
// group does that; nothing is harmed by doing it twice.
func (s *source) Keep(ctx context.Context) {
	interval := s.backend.cfg.Lease / 3
	timer := time.NewTimer(interval)
	defer timer.Stop()
	steady := false // the lease has not lapsed since the last round, so that those of others may be judged
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		var err error
		if steady, err = s.keep(ctx, steady); ctx.Err() != nil {
			return
		}
		if s.sub.Report("keep", failure(ctx, err, "keep what is held of %q", s.name)); err == nil {
			timer.Reset(interval)
		} else {
			timer.Reset(min(interval, retryKeep))
		}
	}
}

// keep does one round. Others are judged only by one who was heard of himself all the time: after the server was away for long, all leases
// have ended, and nobody has died. It reports whether the lease was renewed, which an error does not deny.
func (s *source) keep(ctx context.Context, steady bool) (alive bool, err error) {
	statement, cancel := s.backend.bounded(ctx)
	defer cancel()
	if err := s.renew(statement); err != nil {
		return false, err
	}
	at := s.place()
	if steady {
		freed, err := s.backend.bury(statement, at.group)
		if err != nil {
			return true, err
		}
		if freed > 0 {
			s.sub.Log().Warn("messages of consumers that were not heard of for too long are free for others", "messages", freed)
			s.backend.notifier.ring(s.name)
		}
	}
	if err := s.backend.raiseStock(statement, at.topic, s.group, at.group); err != nil {
		return true, err
	}
	return true, s.backend.trim(ctx, at.topic)
}

// renew extends the lease. If it had ended, others may have got what is held here.
func (s *source) renew(ctx context.Context) error {
	at, asked := s.place(), time.Now()
	tag, err := s.backend.pool.Exec(ctx, "UPDATE leat_consumers SET leased_until = now() + $2 WHERE id = $1 AND leased_until > now()",
		at.consumer, s.backend.cfg.Lease)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		if err := s.revive(ctx, at); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.consumer == at.consumer {
		s.at.renewed = asked
	}
	return nil
}

// revive makes the consumer live again after its lease had ended: it takes back what nobody has taken yet, and finds out what others have.
// What has no claim any more is kept: another one may have finished it, and then doing it again does no harm.
func (s *source) revive(ctx context.Context, at place) error {
	var held []delivery.Position
	s.sub.Unfinished(func(it *inflight.Item[entry]) { held = append(held, it.Entry.position) })
	xids, offsets := columnsOf(held)
	lost := make(map[delivery.Position]bool)
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO leat_consumers (id, group_id, name, leased_until) VALUES ($1, $2, $3, now() + $4)
		ON CONFLICT (id) DO UPDATE SET leased_until = excluded.leased_until`, at.consumer, at.group, s.backend.cfg.Consumer, s.backend.cfg.Lease)
	batch.Queue("SELECT FROM leat_groups WHERE id = $1 FOR UPDATE", at.group)
	batch.Queue(`UPDATE leat_claims c SET consumer = $2 FROM unnest($3::xid8[], $4::bigint[]) AS a (xid, o)
		WHERE c.group_id = $1 AND c.consumer = 0 AND c.xid = a.xid AND c."offset" = a.o`, at.group, at.consumer, xids, offsets)
	batch.Queue(`SELECT c.xid, c."offset" FROM leat_claims c JOIN unnest($3::xid8[], $4::bigint[]) AS a (xid, o)
		ON c.xid = a.xid AND c."offset" = a.o WHERE c.group_id = $1 AND c.consumer <> $2`, at.group, at.consumer, xids, offsets).
		Query(func(rows pgx.Rows) error {
			var xid uint64
			var offset int64
			_, err := pgx.ForEachRow(rows, []any{&xid, &offset}, func() error {
				lost[delivery.Position{Major: xid, Minor: uint64(offset)}] = true
				return nil
			})
			return err
		})
	if err := s.backend.pool.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	n := s.sub.Lose(func(it *inflight.Item[entry]) bool { return lost[it.Entry.position] })
	s.sub.Log().Warn("this consumer was not heard of for longer than its lease", "consumer", s.Consumer(), "held", len(held), "lost", n)
	return nil
}

// bury frees the claims of consumers whose lease has ended, and forgets those that have none. It returns how many are freed.
func (b *Backend) bury(ctx context.Context, group int) (freed int64, err error) {
	tag, err := b.pool.Exec(ctx, `
WITH orphans AS (
	SELECT xid, "offset" FROM leat_claims c WHERE group_id = $1 AND consumer <> 0
		AND NOT EXISTS (SELECT FROM leat_consumers a WHERE a.id = c.consumer AND a.leased_until > now())
	FOR UPDATE SKIP LOCKED
)
UPDATE leat_claims c SET consumer = 0 FROM orphans o WHERE c.group_id = $1 AND c.xid = o.xid AND c."offset" = o."offset"`, group)
	if err != nil {
		return 0, err
	}
	_, err = b.pool.Exec(ctx, `DELETE FROM leat_consumers a WHERE group_id = $1 AND leased_until < now()
		AND NOT EXISTS (SELECT FROM leat_claims c WHERE c.group_id = $1 AND c.consumer = a.id)`, group)
	return tag.RowsAffected(), err
}
