package redisstream

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

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

// Return makes entries free to be claimed, and does not count them as delivered.
func (s *source) Return(ctx context.Context, items []*item) error {
	ids := make([]string, len(items))
	for i, it := range items {
		ids[i] = it.ID
	}
	unread, err := s.unread(ctx, ids)
	if err != nil {
		return failure(err, "look for unread entries of %q", s.topic)
	}
	for chunk := range slices.Chunk(append(ids, unread...), heartbeatChunk) {
		args := []any{s.Group, s.lease.consumer(), freeIdle.Milliseconds()}
		for _, id := range chunk {
			args = append(args, id)
		}
		if err := handBackScript.Run(ctx, s.Client, []string{s.topic}, args...).Err(); err != nil {
			return failure(err, "hand entries of %q back", s.topic)
		}
	}
	return nil
}

// unread returns own pending entries that were in a reply that got lost: delivered once, and not known here.
func (s *source) unread(ctx context.Context, known []string) ([]string, error) {
	if !s.replyLost {
		return nil, nil
	}
	pending, err := s.Client.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: s.topic, Group: s.Group, Start: "-", End: "+", Count: 10_000, Consumer: s.lease.consumer(),
	}).Result()
	if err != nil {
		return nil, err
	}
	held := s.subscription.Held(s.from)
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
