package sql

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

// largeReply is how many bytes of payload one read asks for, about: it ends with the message that goes beyond.
const largeReply = 8 << 20

// Fetch implements inflight.Source.
func (s *source) Fetch(ctx context.Context) error {
	n := s.sub.Room(ctx, s.count, s.backend.cfg.Poll)
	if n == 0 {
		return nil
	}
	how, items, err := s.read(ctx, n)
	s.sub.Take(n, how, items...)
	return failure(ctx, err, "read %q", s.name)
}

// read returns up to n messages. It waits for them no longer than about a poll.
func (s *source) read(ctx context.Context, n int) (pubsub.Event, []*inflight.Item[entry], error) {
	if s.idle && !s.heard(ctx) {
		return pubsub.EventRead, nil, nil
	}
	statement, cancel := s.backend.bounded(ctx)
	defer cancel()
	if err := s.settle(statement); err != nil {
		return pubsub.EventRead, nil, s.repair(statement, err)
	}
	if s.idle {
		if there, err := s.look(statement); err != nil || !there {
			return pubsub.EventRead, nil, s.repair(statement, err)
		}
	}
	how, claim := pubsub.EventRead, s.claimNew
	if s.freed {
		how, claim = pubsub.EventClaimed, s.claimFreed
	}
	items, err := claim(statement, n)
	if err != nil {
		s.unknown = true
		return how, nil, s.repair(statement, err)
	}
	s.rest(how == pubsub.EventRead && len(items) == 0)
	return how, items, nil
}

// rest says whether to wait before the next read.
func (s *source) rest(idle bool) {
	if !idle {
		s.pause = quickest
	}
	s.idle = idle
}

// heard waits until there may be something to read: it was told, or it is time to look. It reports false if ctx ends first.
func (s *source) heard(ctx context.Context) bool {
	timer := time.NewTimer(s.pause)
	defer timer.Stop()
	select {
	case <-s.ear.heard:
		s.pause = quickest
		s.idle = false
	case <-timer.C:
		s.pause = min(2*s.pause, s.backend.cfg.Poll)
	case <-ctx.Done():
		return false
	}
	return true
}

// look reports whether there is something to claim. Nothing is written, so that looking is cheap.
func (s *source) look(ctx context.Context) (there bool, err error) {
	at := s.place()
	err = s.backend.pool.QueryRow(ctx, `
SELECT EXISTS (SELECT FROM leat_claims c WHERE c.group_id = g.id AND c.consumer = 0),
	EXISTS (SELECT FROM `+at.topic.messages+` m WHERE (m.transaction_id, m."offset") > (g.last_xid, g.last_offset)
		AND m.transaction_id < pg_snapshot_xmin(pg_current_snapshot()))
FROM leat_groups g WHERE id = $1`, at.group).Scan(&s.freed, &there)
	return there || s.freed, err
}

// settle makes sure that the lease is ours before more is claimed under it, and frees what was claimed for us in a reply that
// got lost.
func (s *source) settle(ctx context.Context) error {
	if at := s.place(); time.Since(at.renewed) > s.backend.cfg.Lease {
		if err := s.renew(ctx); err != nil {
			return err
		}
	}
	if !s.unknown {
		return nil
	}
	at := s.place()
	free, err := s.backend.freeUnknown(ctx, at, s.held())
	if err != nil {
		return err
	}
	s.unknown, s.freed = false, s.freed || free > 0
	return nil
}

// lock begins a transaction of a consumer that claims: those of a group take turns. A claim may get lost with the server, since its
// message is then delivered again; so nobody waits for it to be written. It tells whether there are claims that are nobody's.
func (s *source) lock(batch *pgx.Batch, group int) {
	batch.Queue(`SELECT set_config('synchronous_commit', 'off', true), EXISTS (SELECT FROM leat_claims WHERE group_id = $1 AND consumer = 0)
		FROM leat_groups WHERE id = $1 FOR UPDATE`, group).QueryRow(func(row pgx.Row) error { return row.Scan(nil, &s.freed) })
}
