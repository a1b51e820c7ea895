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

// handBackScript makes entries that the consumer still owns free to be claimed at once, and takes back the
// delivery that did not happen. KEYS stream; ARGV group, consumer, idle in milliseconds, ids.
var handBackScript = redis.NewScript(`
if redis.replicate_commands then redis.replicate_commands() end
local back = 0
for i = 4, #ARGV do
  local p = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])[1]
  if p then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i],
      'IDLE', ARGV[3], 'RETRYCOUNT', math.max(0, p[4] - 1), 'JUSTID')
    back = back + 1
  end
end
return back`)

// freeIdle is the idle time of entries that are handed back: longer than any claim.min_idle.
const freeIdle = 30 * 24 * time.Hour

// keep is the keeper: it renews the lease, extends slow entries and tidies up the stream until ctx ends.
func (s *subscription) keep(ctx context.Context, leased <-chan struct{}) {
	select {
	case <-leased:
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
		if err == nil || noGroup(err) {
			s.outage.end("keep")
		} else if ctx.Err() == nil {
			s.outage.begin("keep", err)
		}
	}
}

// extend keeps the entries ours that were read or extended longer than a heartbeat ago. One that another
// consumer has claimed meanwhile, as after this process was stopped for a while, is no longer extended; if it
// waits here for a delivery it is dropped. If it is in flight, its ack is still told to Redis: the work is done,
// and effects are applied once, so the worst that follows is that the other consumer does it in vain.
//
// An entry that nobody owns any more is kept: its payload may be nowhere else, and an XACK of it does no harm.
func (s *subscription) extend(ctx context.Context) error {
	began := time.Now()
	consumer := s.lease.consumer()
	var ids []string
	s.window.unfinished(func(it *item) {
		if !it.lost && began.Sub(it.extended) >= s.Claim.MinIdle/4 {
			ids = append(ids, it.id)
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

func (s *subscription) extended(ids, lost []string, at time.Time) {
	was := make(map[string]bool, len(ids))
	for _, id := range ids {
		was[id] = true
	}
	for _, id := range lost {
		was[id] = false
	}
	n := 0
	s.window.unfinished(func(it *item) {
		ours, asked := was[it.id]
		if asked && ours {
			it.extended = at
		} else if asked && !it.lost {
			it.lost = true
			n++
		}
	})
	s.window.dropLost()
	if n > 0 {
		s.observe(EventLost, n)
		s.log.Warn("entries are no longer ours: another consumer has claimed them", "entries", n)
	}
}

// dropLost frees the slots of lost items that are not in flight.
func (w *window) dropLost() {
	w.mu.Lock()
	defer w.mu.Unlock()
	drop := func(it *item) bool {
		if it.lost {
			w.free(it)
		}
		return it.lost
	}
	w.waiting = slices.DeleteFunc(w.waiting, drop)
	w.suspects = slices.DeleteFunc(w.suspects, drop)
	signal(w.freed)
}

// handBack frees items that nobody has handled. A suspect among them has not run: its note goes first.
func (s *subscription) handBack(ctx context.Context, items []*item) error {
	var ids, marks []string
	for _, it := range items {
		if it.lost {
			continue
		}
		ids = append(ids, it.id)
		if it.marked && !it.exhausted {
			marks = append(marks, it.id)
		}
	}
	if len(marks) > 0 {
		if err := s.Client.HDel(ctx, s.suspects(), marks...).Err(); err != nil {
			return err
		}
	}
	unread, err := s.unread(ctx, ids)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(append(ids, unread...), heartbeatChunk) {
		args := []any{s.Group, s.lease.consumer(), freeIdle.Milliseconds()}
		for _, id := range chunk {
			args = append(args, id)
		}
		n, err := handBackScript.Run(ctx, s.Client, []string{s.topic}, args...).Int()
		if err != nil {
			return err
		}
		s.observe(EventReturned, n)
	}
	return nil
}

// unread returns own pending entries that were in a reply that got lost: delivered once, and not known here.
func (s *subscription) unread(ctx context.Context, known []string) ([]string, error) {
	if !s.replyLost {
		return nil, nil
	}
	pending, err := s.Client.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: s.topic, Group: s.Group, Start: "-", End: "+", Count: 10_000, Consumer: s.lease.consumer(),
	}).Result()
	if err != nil {
		return nil, err
	}
	held := s.window.ids()
	for _, id := range known {
		held[id] = struct{}{}
	}
	var ids []string
	for _, p := range pending {
		if _, ok := held[p.ID]; !ok && p.RetryCount == 1 {
			ids = append(ids, p.ID)
		}
	}
	return ids, nil
}
