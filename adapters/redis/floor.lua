-- Notes how far a worker knows a source to be done, and raises the ack floor to the lowest that any worker said within
-- the last minute; then forgets the markers below it. A floor never falls.
-- KEYS 1 floors (hash) · 2 markers of the source (zset) · 3 reports of the workers (hash)
-- ARGV 1 source · 2 worker · 3 position key · 4 how long the report holds, in ms
-- Markers share a score with all of their major part, so those of the floor's own major part stay a while longer.
if redis.replicate_commands then redis.replicate_commands() end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3] .. ' ' .. string.format('%.0f', now + tonumber(ARGV[4])))

local lowest = ARGV[3]
local reports = redis.call('HGETALL', KEYS[3])
for i = 1, #reports, 2 do
  local position, until_ms = string.match(reports[i + 1], '^(%S*) (%d+)$')
  if not until_ms or tonumber(until_ms) < now then
    redis.call('HDEL', KEYS[3], reports[i])
  elseif position < lowest then
    lowest = position
  end
end

local floor = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if lowest <= floor then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], lowest)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. string.sub(lowest, 1, 20))
return 1
