package redisstream

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	tidyInterval = 30 * time.Second
	// consumerIdle is how long a consumer must not have asked for anything before it is removed.
	consumerIdle = 10 * time.Minute
	// tidyMost bounds how many consumers, notes or trims one round handles.
	tidyMost = 32
)

// dropConsumerScript removes a consumer that is idle, has no pending entries, and whose name no process holds.
// KEYS stream, lease; ARGV group, consumer, idle in milliseconds.
var dropConsumerScript = redis.NewScript(`
if redis.replicate_commands then redis.replicate_commands() end
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #info, 2 do consumer[info[i]] = info[i + 1] end
  if consumer['name'] == ARGV[2] and consumer['idle'] >= tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
    return 1
  end
end
return 0`)

// trimScript removes entries older than an age that every group has acked, and returns how many. Roughly at
// first, which spares Redis time, and to the entry where that finds nothing more. KEYS stream; ARGV age in milliseconds.
var trimScript = redis.NewScript(`
if redis.replicate_commands then redis.replicate_commands() end
local function below(a, b)
  local am, as = string.match(a, '^(%d+)-(%d+)$')
  local bm, bs = string.match(b, '^(%d+)-(%d+)$')
  if #am ~= #bm then return #am < #bm end
  if am ~= bm then return am < bm end
  if #as ~= #bs then return #as < #bs end
  return as < bs
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local cutoff = redis.call('TIME')[1] * 1000 - ARGV[1]
if cutoff <= 0 then return 0 end
local bound = string.format('%.0f-0', cutoff)
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #info, 2 do group[info[i]] = info[i + 1] end
  local floor = redis.call('XPENDING', KEYS[1], group['name'])[2] or group['last-delivered-id']
  if not string.find(floor, '-', 1, true) then floor = floor .. '-0' end
  if below(floor, bound) then bound = floor end
end
local n = redis.call('XTRIM', KEYS[1], 'MINID', '~', bound)
if n > 0 then return n end
return redis.call('XTRIM', KEYS[1], 'MINID', '=', bound)`)

// forgetScript removes the notes of suspects that are not pending any more. KEYS stream, suspects; ARGV group, most.
var forgetScript = redis.NewScript(`
if redis.replicate_commands then redis.replicate_commands() end
local n = 0
for i, id in ipairs(redis.call('HKEYS', KEYS[2])) do
  if i > tonumber(ARGV[2]) then break end
  if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1) == 0 then
    redis.call('HDEL', KEYS[2], id)
    n = n + 1
  end
end
return n`)

// tidy removes what nobody needs any more. Every process of the group does it; each step is atomic and harmless
// to repeat.
func (s *source) tidy(ctx context.Context) error {
	if err := s.dropConsumers(ctx, consumerIdle); err != nil {
		return err
	}
	if err := forgetScript.Run(ctx, s.Client, []string{s.topic, suspectsKey(s.topic, s.Group)}, s.Group, tidyMost*tidyMost).Err(); err != nil {
		return err
	}
	return s.trim(ctx)
}

func (s *source) dropConsumers(ctx context.Context, idle time.Duration) error {
	consumers, err := s.Client.XInfoConsumers(ctx, s.topic, s.Group).Result()
	if err != nil {
		return err
	}
	asked := 0
	for _, consumer := range consumers {
		if consumer.Idle < idle || consumer.Name == s.lease.consumer() || asked == tidyMost {
			continue
		}
		asked++
		keys := []string{s.topic, s.lease.key(consumer.Name)}
		dropped, err := dropConsumerScript.Run(ctx, s.Client, keys, s.Group, consumer.Name, idle.Milliseconds()).Bool()
		if err != nil {
			return err
		}
		if dropped {
			s.log.Info("an idle consumer without pending entries was removed", "consumer", consumer.Name)
		}
	}
	return nil
}

// trim removes entries that are older than retain and acked by every group. A group that nobody reads any more
// keeps them all.
func (s *source) trim(ctx context.Context) error {
	if s.Retain <= 0 {
		return nil
	}
	for range tidyMost {
		n, err := trimScript.Run(ctx, s.Client, []string{s.topic}, s.Retain.Milliseconds()).Int64()
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}
