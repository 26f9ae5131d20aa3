-- Stores a revocation under the time of now, by this server's clock, and forgets those that are too old to matter.
--
-- KEYS[1] the sorted set of revocations, by epoch milliseconds
-- ARGV[1] the revocation, JSON text; the same text again only moves its time
-- ARGV[2] milliseconds that a revocation is kept
-- ARGV[3] most revocations kept
-- Returns the time in epoch milliseconds as text, or "full" where there is no room: none that is still in force is dropped.

local time = redis.call('TIME')
-- Rounded up: what was issued earlier in this millisecond is refused too.
local now = tonumber(time[1]) * 1000 + math.ceil(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - tonumber(ARGV[2])))
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 'full' end
local text = string.format('%.0f', now)
-- GT: a clock that went back must not admit again what was refused.
redis.call('ZADD', KEYS[1], 'GT', text, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return text
