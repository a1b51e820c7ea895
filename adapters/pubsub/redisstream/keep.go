package redisstream

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// heartbeatChunk is how many entries one script extends.
const heartbeatChunk = 200

// extendScript resets the idle time of entries that the consumer still owns, keeps their delivery counts, and
// returns the ids of those that another consumer owns. What nobody owns is in neither list: its data was
// trimmed, or the group was created anew. KEYS stream; ARGV group, consumer, ids in their order.
var extendScript = redis.NewScript(`
if redis.replicate_commands then redis.replicate_commands() end
local group, consumer = ARGV[1], ARGV[2]
local counts = {}
for _, p in ipairs(redis.call('XPENDING', KEYS[1], group, ARGV[3], ARGV[#ARGV], 1000000, consumer)) do
  counts[p[1]] = p[4]
end
local ours, lost = {}, {}
for i = 3, #ARGV do
  local count = counts[ARGV[i]]
  if count then
    ours[count] = ours[count] or {}
    table.insert(ours[count], ARGV[i])
  elseif #redis.call('XPENDING', KEYS[1], group, ARGV[i], ARGV[i], 1) > 0 then
    lost[#lost + 1] = ARGV[i]
  end
end
for count, ids in pairs(ours) do
  local claim = {'XCLAIM', KEYS[1], group, consumer, 0, unpack(ids)}
  table.insert(claim, 'RETRYCOUNT')
  table.insert(claim, count)
  table.insert(claim, 'JUSTID')
  redis.call(unpack(claim))
end
return lost`)

// Keep is the keeper: it renews the lease, extends slow entries and tidies up the stream until ctx ends.
func (s *source) Keep(ctx context.Context) {
	select {
	case <-s.leased:
	case <-ctx.Done():
		return
	}
	renew := time.NewTicker(s.Lease / 3)
	defer renew.Stop()
	heartbeat := time.NewTicker(s.Claim.MinIdle / 3)
	defer heartbeat.Stop()
	tidy := time.NewTicker(max(s.Claim.MinIdle, tidyInterval))
	defer tidy.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-renew.C:
			err = s.lease.renew(ctx)
		case <-heartbeat.C:
			err = s.extend(ctx)
		case <-tidy.C:
			err = s.tidy(ctx)
		}
		if noGroup(err) {
			err = nil // the reader creates it again
		}
		if ctx.Err() == nil {
			s.subscription.Report("keep", failure(err, "keep what is held of %q", s.topic))
		}
	}
}

// extend keeps the entries ours that were read or extended longer than a heartbeat ago. One that another
// consumer has claimed meanwhile, as after this process was stopped for a while, is no longer extended.
//
// An entry that nobody owns any more is kept: its payload may be nowhere else, and an XACK of it does no harm.
func (s *source) extend(ctx context.Context) error {
	began := time.Now()
	consumer := s.lease.consumer()
	var ids []string
	s.subscription.Unfinished(func(it *item) {
		if began.Sub(it.Entry.extended) >= s.Claim.MinIdle/4 {
			ids = append(ids, it.ID)
		}
	})
	slices.SortFunc(ids, func(a, b string) int {
		if below(a, b) {
			return -1
		}
		return 1
	})
	for chunk := range slices.Chunk(ids, heartbeatChunk) {
		args := []any{s.Group, consumer}
		for _, id := range chunk {
			args = append(args, id)
		}
		lost, err := extendScript.Run(ctx, s.Client, []string{s.topic}, args...).StringSlice()
		if err != nil {
			return err
		}
		s.extended(chunk, lost, began)
	}
	return nil
}

// extended notes what the script did with ids: those that are not lost are ours.
func (s *source) extended(ids, lost []string, at time.Time) {
	was := make(map[string]bool, len(ids))
	for _, id := range ids {
		was[id] = true
	}
	for _, id := range lost {
		was[id] = false
	}
	s.subscription.Unfinished(func(it *item) {
		if was[it.ID] {
			it.Entry.extended = at
		}
	})
	if len(lost) == 0 {
		return
	}
	n := s.subscription.Lose(func(it *item) bool {
		ours, asked := was[it.ID]
		return asked && !ours
	})
	if n > 0 {
		s.log.Warn("entries are no longer ours: another consumer has claimed them", "entries", n)
	}
}
