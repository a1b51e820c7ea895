-- Counts events on leaderboards: all of them, or none.
--
-- KEYS  1 floors (hash) · 2..S+1 markers of each source (zset) · the rest: boards (zset)
-- ARGV  S · the names of the S sources · M ·
--       M markers, each: number of its source, identity, score, position key ·
--       for each board: expire-at in ms or "", number of scores, then pairs of seconds and user
--
-- Returns {"ok"}, or {"counted", indices from 1 of markers that are counted already}, or
-- {"wrongtype", key, type}. Only "ok" has written anything: every check comes before the first write. Markers are
-- checked before boards: an event that meets a board of the wrong type is therefore known not to be counted.
local at = 1
local function take()
  at = at + 1
  return ARGV[at - 1]
end

local sources = tonumber(take())
local names = {}
for s = 1, sources do names[s] = take() end

local function type_of(key) return redis.call('TYPE', key).ok end
local function wrong(first, last, wanted)
  for k = first, last do
    local kind = type_of(KEYS[k])
    if kind ~= wanted and kind ~= 'none' then return {'wrongtype', KEYS[k], kind} end
  end
end
local problem = wrong(1, 1, 'hash') or wrong(2, sources + 1, 'zset')
if problem then return problem end

local floors = {}
for s = 1, sources do floors[s] = redis.call('HGET', KEYS[1], names[s]) or '' end

local chunk = 1000 -- values that unpack lays on Lua's stack, which takes about 8000; even, for ZADD takes pairs

local counted = {'counted'}
local seen = {} -- an identity that is given twice is counted once
local marks, ids, places = {}, {}, {} -- by source: pairs for ZADD, identities, and their indices
for s = 1, sources do marks[s], ids[s], places[s] = {}, {}, {} end
for m = 1, tonumber(take()) do
  local s, id, score, position = tonumber(take()), take(), take(), take()
  if seen[id] or position < floors[s] then
    counted[#counted + 1] = m
  else
    local mark, n = marks[s], #ids[s] + 1
    mark[2 * n - 1], mark[2 * n] = score, id
    ids[s][n], places[s][n] = id, m
  end
  seen[id] = true
end
for s = 1, sources do
  for first = 1, #ids[s], chunk do
    local last = math.min(first + chunk - 1, #ids[s])
    for n, score in ipairs(redis.call('ZMSCORE', KEYS[s + 1], unpack(ids[s], first, last))) do
      if score then counted[#counted + 1] = places[s][first + n - 1] end
    end
  end
end
if #counted > 1 then return counted end

problem = wrong(sources + 2, #KEYS, 'zset')
if problem then return problem end

for k = sources + 2, #KEYS do
  local expire_at, scores = take(), tonumber(take())
  for _ = 1, scores do
    local seconds, user = take(), take()
    redis.call('ZINCRBY', KEYS[k], seconds, user)
  end
  if expire_at ~= '' then redis.call('PEXPIREAT', KEYS[k], expire_at) end
end
for s = 1, sources do
  for first = 1, #marks[s], chunk do
    redis.call('ZADD', KEYS[s + 1], unpack(marks[s], first, math.min(first + chunk - 1, #marks[s])))
  end
end
return {'ok'}
