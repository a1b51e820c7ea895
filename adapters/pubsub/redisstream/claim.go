package redisstream

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"leat/adapters/pubsub"
)

// claimChunk is how many entries one script claims: enough to be cheap, few enough not to hold Redis up.
const claimChunk = 100

// takeScript gives entries to a consumer: those that it owns already, and those that are idle for long enough,
// both looked at anew. KEYS stream, suspects; ARGV group, consumer, idle in milliseconds, ids.
// It acks those whose data is gone, and returns their number and, for each other entry,
// {id, deliveries with this one, fields}.
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
local fields = {}
for _, e in ipairs(redis.call('XCLAIM', KEYS[1], group, consumer, 0, unpack(ids))) do
  if e then fields[e[1]] = e[2] end
end
local gone, taken = 0, {}
for i, id in ipairs(ids) do
  if fields[id] then
    taken[#taken + 1] = {id, counts[i], fields[id]}
  else
    redis.call('XACK', KEYS[1], group, id)
    redis.call('HDEL', KEYS[2], id)
    gone = gone + 1
  end
end
return {gone, taken}`)

// takeOwn takes the pending entries of this consumer that are not held, or as many as there is room for. It returns how many.
func (s *source) takeOwn(ctx context.Context) (int, error) {
	n, all, err := s.takeAll(ctx, redis.XPendingExtArgs{Consumer: s.lease.consumer()})
	s.unseen, s.replyLost = !all, s.replyLost && !all
	return n, err
}

// claim takes entries that have been idle for too long, whoever owns them, or as many as there is room for. It returns how many.
func (s *source) claim(ctx context.Context) (int, error) {
	n, all, err := s.takeAll(ctx, redis.XPendingExtArgs{Idle: s.Claim.MinIdle})
	if all {
		s.claimAt = time.Now().Add(s.Claim.MinIdle / 2)
	}
	return n, err
}

// takeAll takes the pending entries that the query selects, a page at a time. It stops early, and reports
// false, when the window stays full.
func (s *source) takeAll(ctx context.Context, query redis.XPendingExtArgs) (taken int, all bool, err error) {
	query.Stream, query.Group = s.topic, s.Group
	query.Start, query.End, query.Count = "-", "+", claimChunk
	for {
		page, err := s.Client.XPendingExt(ctx, &query).Result()
		if err != nil {
			return taken, false, err
		}
		held := s.subscription.Held(s.from)
		ids := make([]string, 0, len(page))
		for _, p := range page {
			if _, ok := held[p.ID]; !ok {
				ids = append(ids, p.ID)
			}
		}
		for len(ids) > 0 {
			room := s.subscription.Room(ctx, min(len(ids), s.count), s.Block)
			if room == 0 {
				return taken, false, nil
			}
			n, err := s.take(ctx, ids[:room])
			if err != nil {
				return taken, false, err
			}
			taken, ids = taken+n, ids[room:]
		}
		if len(page) < claimChunk {
			return taken, true, nil
		}
		if query.Start, err = after(page[len(page)-1].ID); err != nil {
			return taken, false, err
		}
	}
}

// take takes entries for which slots are reserved, hands them over, and returns how many there are. The ids ascend.
func (s *source) take(ctx context.Context, ids []string) (int, error) {
	args := []any{s.Group, s.lease.consumer(), s.Claim.MinIdle.Milliseconds()}
	for _, id := range ids {
		args = append(args, id)
	}
	s.arriving.begin(ids[0])
	defer s.arriving.end()
	reply, err := takeScript.Run(ctx, s.Client, []string{s.topic, suspectsKey(s.topic, s.Group)}, args...).Slice()
	var items []*item
	var gone int64
	if err == nil {
		items, gone, err = s.taken(reply)
	}
	s.subscription.Take(len(ids), pubsub.EventClaimed, items...)
	if err != nil {
		s.unseen = true
		return 0, err
	}
	if gone > 0 {
		s.subscription.Observe(s.topic, pubsub.EventTrimmed, int(gone))
	}
	return len(items), nil
}

// taken makes items of the reply of takeScript.
func (s *source) taken(reply []any) (items []*item, gone int64, err error) {
	if len(reply) != 2 {
		return nil, 0, fmt.Errorf("%w of a claim", errReply)
	}
	gone, _ = reply[0].(int64)
	list, _ := reply[1].([]any)
	now := time.Now()
	for _, each := range list {
		taken, _ := each.([]any)
		if len(taken) != 3 {
			return nil, 0, fmt.Errorf("%w of a claim", errReply)
		}
		id, _ := taken[0].(string)
		deliveries, _ := taken[1].(int64)
		items = append(items, s.fill(new(item), id, fieldBytes(taken[2]), int(deliveries), now))
	}
	return items, gone, nil
}
