-- Tries each command of count.lua and floor.lua, on a key of each kind, in a form that changes nothing, and returns those
-- that the user may not run.
-- KEYS 1 floors (hash) · 2 markers of a source (zset) · 3 reports of the workers (hash) · 4 a board (zset)
local refusals = {'NOPERM', 'The user executing the script', 'ACL failure in script'}
local refused = {}
local function try(key, command, ...)
  local reply = key and redis.pcall(command, key, ...) or redis.pcall(command, ...)
  local problem = type(reply) == 'table' and reply.err or ''
  for _, refusal in ipairs(refusals) do
    if string.find(problem, refusal, 1, true) then
      command = string.lower(command)
      refused[#refused + 1] = key and command .. ' on ' .. key or command
      return
    end
  end
end

local nobody = ''
try(nil, 'TIME')
for k = 1, 4 do try(KEYS[k], 'TYPE') end
try(KEYS[1], 'HGET', nobody)
try(KEYS[1], 'HSET', 'a pair', 'is', 'missing')
try(KEYS[2], 'ZMSCORE', nobody)
try(KEYS[2], 'ZADD', 'XX', 0, nobody)
try(KEYS[2], 'ZREMRANGEBYSCORE', '(0', '(0')
try(KEYS[3], 'HSET', 'a pair', 'is', 'missing')
try(KEYS[3], 'HGETALL')
try(KEYS[3], 'HDEL', nobody)
try(KEYS[4], 'ZINCRBY', 'no number', nobody)
try(KEYS[4], 'PEXPIREAT', 'no number')
return refused
