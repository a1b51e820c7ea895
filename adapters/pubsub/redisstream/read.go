package redisstream

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"leat/adapters/pubsub"
)

const (
	// largeReply is the size of a reply after which the next one asks for half as many entries.
	largeReply = 8 << 20
	// itemChunk is how many items are allocated together; one that stays for long keeps its chunk in memory.
	itemChunk = 16
)

// Fetch takes the lease first, then own pending entries, then turns between claims and new entries.
func (s *source) Fetch(ctx context.Context) error {
	err := s.round(ctx)
	if noGroup(err) {
		err = s.recreate(ctx)
	}
	return failure(err, "read %q", s.topic)
}

// round does one round of reading. Its error is one of Redis.
func (s *source) round(ctx context.Context) error {
	if err := s.holdName(ctx); err != nil {
		return err
	}
	taken, err := 0, error(nil)
	if s.unseen {
		taken, err = s.takeOwn(ctx)
	} else if time.Now().After(s.claimAt) {
		taken, err = s.claim(ctx)
	}
	if err != nil || s.unseen || taken > 0 { // suspects among them come before new entries
		return err
	}
	free := s.subscription.Room(ctx, s.count, s.Block)
	if free == 0 {
		return nil
	}
	return s.fetch(ctx, free)
}

// holdName makes sure that the source has a consumer name, and no other one has it.
func (s *source) holdName(ctx context.Context) error {
	if s.name == "" {
		if err := s.lease.acquire(ctx); err != nil {
			return err
		}
		close(s.leased)
		s.entries = s.open()
	} else if s.lease.stale() {
		if err := s.lease.renew(ctx); err != nil {
			return err
		}
	}
	if name := s.lease.consumer(); name != s.name {
		s.name, s.unseen = name, true
	}
	return nil
}

// fetch reads new entries into n reserved slots and hands them over.
func (s *source) fetch(ctx context.Context, n int) error {
	var items []*item
	var chunk []item
	var now time.Time
	defer s.arriving.end()
	consumer := s.lease.consumer()
	size, err := s.entries.read(ctx, s.Group, consumer, s.topic, n, s.Block, func(e entry) {
		if e.values == nil || s.again(e.id) {
			return
		}
		if len(items) == n { // more than were asked for: there is no slot
			s.unseen = true
			return
		}
		if items == nil {
			items, now = make([]*item, 0, n), time.Now()
			s.arriving.begin(string(e.id))
		}
		if len(chunk) == 0 {
			chunk = make([]item, min(itemChunk, n-len(items)))
		}
		items, chunk = append(items, s.fill(&chunk[0], string(e.id), e.values, 1, now)), chunk[1:]
	})
	s.subscription.Take(n, pubsub.EventRead, items...)
	if err != nil {
		if _, replied := errors.AsType[redis.Error](err); !replied {
			s.unseen, s.replyLost = true, true
		}
		s.expectAgain() // who answers next may have taken over, and know less than the one before
	}
	if size > largeReply {
		s.count = max(1, n/2)
	} else if size > 0 && s.count < s.Count {
		s.count = min(s.Count, s.count+s.count/16+1)
	}
	return err
}

// recreate creates a group that has vanished. It is read from the first entry, which may be held here.
func (s *source) recreate(ctx context.Context) error {
	created, err := s.createGroup(ctx)
	if err != nil {
		return err
	}
	if created {
		s.log.Warn("the consumer group had vanished and was created again; it is read from the first entry")
	}
	s.expectAgain()
	return nil
}

// expectAgain makes fetch look out for entries that are held here and come once more.
func (s *source) expectAgain() { s.resent = s.subscription.Held(s.from) }

// again reports whether an entry that was read is held already. Its outcome counts for both.
func (s *source) again(id []byte) bool {
	if len(s.resent) == 0 {
		return false
	}
	_, maybe := s.resent[string(id)]
	return maybe && s.subscription.Again(s.from, string(id))
}
