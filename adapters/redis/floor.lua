-- Raises an ack floor and forgets the markers below it. A position that is not above the floor changes nothing.
-- KEYS 1 floors (hash) · 2 markers of the source (zset)
-- ARGV 1 source · 2 position key · 3 major part of the position
-- Markers share a score with all of their major part, so those of the floor's own major part stay a while longer.
local floor = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if ARGV[2] <= floor then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[3])
return 1
