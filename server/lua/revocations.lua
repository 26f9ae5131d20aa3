-- Reads revocations that are still in force, the oldest first.
--
-- KEYS[1] the sorted set of revocations, by epoch milliseconds
-- ARGV[1] milliseconds that a revocation is kept
-- ARGV[2] only those of this time (epoch milliseconds) or later
-- ARGV[3] how many of these to skip
-- ARGV[4] how many to read at most
-- ARGV[5] most bytes of one; longer ones, which nobody of ours wrote, are given as ""
-- Returns {now, how many are in force, {member, score, member, score, ...}}, `now` and the scores as text.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local horizon = now - tonumber(ARGV[1])
local from = string.format('%.0f', math.max(horizon, tonumber(ARGV[2])))
local count = redis.call('ZCOUNT', KEYS[1], string.format('%.0f', horizon), '+inf')
local rows = redis.call('ZRANGEBYSCORE', KEYS[1], from, '+inf', 'WITHSCORES', 'LIMIT', ARGV[3], ARGV[4])
for i = 1, #rows, 2 do
  if #rows[i] > tonumber(ARGV[5]) then rows[i] = '' end
end
return { string.format('%.0f', now), count, rows }
