package redisstream

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"leat/handlers/delivery"
)

const (
	// largeReply is the size of a reply after which the next one asks for half as many entries.
	largeReply = 8 << 20
	// fillWait is how long a read waits for more room in the window, so that few free slots do not make
	// many small reads.
	fillWait = 2 * time.Millisecond
	// itemChunk is how many items are allocated together; one that stays for long keeps its chunk in memory.
	itemChunk = 16
)

// read is the reader: it takes the lease, then own pending entries, then turns between claims, suspects and
// new entries until ctx ends.
func (s *subscription) read(ctx context.Context, leased chan<- struct{}) {
	if s.outage.retry(ctx, "read", func() error { return s.lease.acquire(ctx) }) != nil {
		return
	}
	close(leased)
	s.entries = s.opener()()
	for failures := 0; ctx.Err() == nil; {
		err := s.turn(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			s.outage.end("read")
		case noGroup(err):
			err = s.recreate(ctx)
		}
		if err != nil {
			s.outage.begin("read", err)
			_ = sleep(ctx, retryDelay(failures))
			failures++
		}
	}
}

// turn does one round of the reader's work. Its error is one of Redis.
func (s *subscription) turn(ctx context.Context) error {
	if s.Gate != nil && s.Gate.Wait(ctx) != nil {
		return nil
	}
	if s.lease.stale() {
		if err := s.lease.renew(ctx); err != nil {
			return err
		}
	}
	if name := s.lease.consumer(); name != s.name {
		s.name, s.unseen = name, true
	}
	if s.unseen {
		if err := s.takeOwn(ctx); err != nil {
			return err
		}
	} else if time.Now().After(s.claimAt) {
		if err := s.claim(ctx); err != nil {
			return err
		}
	}
	if err := s.runSuspects(ctx); err != nil || s.unseen {
		return err
	}
	free := s.room(ctx, s.count)
	if free == 0 {
		return nil
	}
	return s.fetch(ctx, free)
}

// room reserves up to n slots. It waits for one, though not past the next claim, and a moment for more.
func (s *subscription) room(ctx context.Context, n int) int {
	n = min(n, s.InFlight)
	got := s.window.reserve(n)
	limit := time.NewTimer(s.Block)
	defer limit.Stop()
	for got == 0 {
		select {
		case <-s.window.freed:
			got = s.window.reserve(n)
		case <-limit.C:
			return 0
		case <-ctx.Done():
			return 0
		}
	}
	if few := min(n, s.InFlight/4); got < few {
		limit.Reset(fillWait)
		for got < few {
			select {
			case <-s.window.freed:
				got += s.window.reserve(n - got)
			case <-limit.C:
				return got
			case <-ctx.Done():
				return got
			}
		}
	}
	return got
}

// fetch reads new entries into n reserved slots and delivers them.
func (s *subscription) fetch(ctx context.Context, n int) error {
	var items []*item
	var chunk []item
	var now time.Time
	defer s.window.arrive("")
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
			s.window.arrive(string(e.id))
		}
		if len(chunk) == 0 {
			chunk = make([]item, min(itemChunk, n-len(items)))
		}
		items, chunk = append(items, s.fill(&chunk[0], string(e.id), e.values, 1, now)), chunk[1:]
	})
	s.window.settle(n, items...)
	if err != nil {
		if _, replied := errors.AsType[redis.Error](err); !replied {
			s.unseen, s.replyLost = true, true
			s.expectAgain()
		}
	}
	if size > largeReply {
		s.count = max(1, n/2)
	} else if size > 0 && s.count < s.Count {
		s.count = min(s.Count, s.count+s.count/16+1)
	}
	s.observe(EventRead, len(items))
	if len(items) > 0 {
		s.deliver(items...)
	}
	return err
}

// recreate creates a group that has vanished. It is read from the first entry, which may be in flight here.
func (s *subscription) recreate(ctx context.Context) error {
	if err := s.createGroup(ctx); err != nil {
		return err
	}
	s.log.Warn("the consumer group had vanished and was created again; it is read from the first entry")
	s.expectAgain()
	return nil
}

// expectAgain makes fetch look out for entries that are in flight here and come once more.
func (s *subscription) expectAgain() { s.resent = s.window.ids() }

// again reports whether an entry that was read is in the window already. Its outcome counts for both.
func (s *subscription) again(id []byte) bool {
	if len(s.resent) == 0 {
		return false
	}
	_, maybe := s.resent[string(id)]
	return maybe && s.window.again(string(id))
}

// after is the smallest entry id above id.
func after(id string) (string, error) {
	position, err := delivery.ParsePosition(id)
	if err != nil {
		return "", err
	}
	return position.Next().String(), nil
}
