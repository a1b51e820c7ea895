package redisstream

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// claimChunk is how many entries one script claims: enough to be cheap, few enough not to hold Redis up.
const claimChunk = 100

// takeScript gives entries to a consumer: those that it owns already, and those that are idle for long enough,
// both looked at anew. KEYS stream, suspects; ARGV group, consumer, idle in milliseconds, ids.
// It acks those whose data is gone, and returns their number and, for each other entry,
// {id, deliveries with this one, number of its runs alone or nil, fields}.
var takeScript = redis.NewScript(`
if redis.replicate_commands then redis.replicate_commands() end
local group, consumer, idle = ARGV[1], ARGV[2], tonumber(ARGV[3])
local ids, counts = {}, {}
for i = 4, #ARGV do
  local p = redis.call('XPENDING', KEYS[1], group, ARGV[i], ARGV[i], 1)[1]
  if p and (p[2] == consumer or p[3] >= idle) then
    ids[#ids + 1] = ARGV[i]
    counts[#counts + 1] = p[4] + 1
  end
end
if #ids == 0 then return {0, {}} end
local marks = redis.call('HMGET', KEYS[2], unpack(ids))
local fields = {}
for _, e in ipairs(redis.call('XCLAIM', KEYS[1], group, consumer, 0, unpack(ids))) do
  if e then fields[e[1]] = e[2] end
end
local gone, taken = 0, {}
for i, id in ipairs(ids) do
  if fields[id] then
    taken[#taken + 1] = {id, counts[i], marks[i], fields[id]}
  else
    redis.call('XACK', KEYS[1], group, id)
    redis.call('HDEL', KEYS[2], id)
    gone = gone + 1
  end
end
return {gone, taken}`)

// takeOwn takes the pending entries of this consumer that are not in the window, or as many as there is room for.
func (s *subscription) takeOwn(ctx context.Context) error {
	all, err := s.takeAll(ctx, redis.XPendingExtArgs{Consumer: s.lease.consumer()})
	s.unseen, s.replyLost = !all, s.replyLost && !all
	return err
}

// claim takes entries that have been idle for too long, whoever owns them, or as many as there is room for.
func (s *subscription) claim(ctx context.Context) error {
	all, err := s.takeAll(ctx, redis.XPendingExtArgs{Idle: s.Claim.MinIdle})
	if all {
		s.claimAt = time.Now().Add(s.Claim.MinIdle / 2)
	}
	return err
}

// takeAll takes the pending entries that the query selects, a page at a time. It stops early, and reports
// false, when the window stays full.
func (s *subscription) takeAll(ctx context.Context, query redis.XPendingExtArgs) (all bool, err error) {
	query.Stream, query.Group = s.topic, s.Group
	query.Start, query.End, query.Count = "-", "+", claimChunk
	for {
		page, err := s.Client.XPendingExt(ctx, &query).Result()
		if err != nil {
			return false, err
		}
		held := s.window.ids()
		ids := make([]string, 0, len(page))
		for _, p := range page {
			if _, ok := held[p.ID]; !ok {
				ids = append(ids, p.ID)
			}
		}
		for len(ids) > 0 {
			n := s.room(ctx, min(len(ids), s.count))
			if n == 0 {
				return false, nil
			}
			if err := s.take(ctx, ids[:n]); err != nil {
				return false, err
			}
			ids = ids[n:]
		}
		if len(page) < claimChunk {
			return true, nil
		}
		if query.Start, err = after(page[len(page)-1].ID); err != nil {
			return false, err
		}
	}
}

// take takes entries, for which slots are reserved, and delivers them or sets suspects aside. The ids ascend.
func (s *subscription) take(ctx context.Context, ids []string) error {
	args := []any{s.Group, s.lease.consumer(), s.Claim.MinIdle.Milliseconds()}
	for _, id := range ids {
		args = append(args, id)
	}
	s.window.arrive(ids[0])
	defer s.window.arrive("")
	reply, err := takeScript.Run(ctx, s.Client, []string{s.topic, s.suspects()}, args...).Slice()
	var items, suspects []*item
	var gone int64
	if err == nil {
		items, suspects, gone, err = s.taken(reply)
	}
	s.window.settle(len(ids), slices.Concat(items, suspects)...)
	if err != nil {
		s.unseen = true
		return err
	}
	s.observe(EventTrimmed, int(gone))
	s.observe(EventClaimed, len(items)+len(suspects))
	s.window.park(suspects...)
	if len(items) > 0 {
		s.deliver(items...)
	}
	return nil
}

// taken makes items of the reply of takeScript.
func (s *subscription) taken(reply []any) (items, suspects []*item, gone int64, err error) {
	if len(reply) != 2 {
		return nil, nil, 0, fmt.Errorf("%w of a claim", errReply)
	}
	gone, _ = reply[0].(int64)
	list, _ := reply[1].([]any)
	now := time.Now()
	for _, each := range list {
		taken, _ := each.([]any)
		if len(taken) != 4 {
			return nil, nil, 0, fmt.Errorf("%w of a claim", errReply)
		}
		id, _ := taken[0].(string)
		deliveries, _ := taken[1].(int64)
		it := s.fill(new(item), id, fieldBytes(taken[3]), int(deliveries), now)
		if runs, noted := taken[2].(string); noted {
			it.runs, _ = strconv.Atoi(runs)
		}
		switch {
		case it.runs >= exhausting:
			it.marked, it.exhausted = true, true
			s.observe(EventExhausted, 1)
			s.log.Error("an entry ran alone again and again without an outcome; it is passed on to be dead-lettered", "id", id, "deliveries", deliveries, "runs", it.runs)
			items = append(items, it)
		case it.runs > 0 || int(deliveries) > s.MaxDeliveries:
			it.alone = true
			suspects = append(suspects, it)
		default:
			items = append(items, it)
		}
	}
	return items, suspects, gone, nil
}
