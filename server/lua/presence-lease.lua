-- Renews a relay's lease, by this server's clock, and tells whose leases hold and whose ran out.
--
-- KEYS[1] the leases: a sorted set of relays by the time until which each holds, epoch milliseconds
-- ARGV[1] the relay, or "" to look only
-- ARGV[2] milliseconds until its lease runs out
-- ARGV[3] milliseconds that a lease which ran out is remembered
-- Returns {whether this relay's lease held until now (1 or 0), relays whose leases hold, relays whose leases ran out}.

local key = KEYS[1]
local kind = redis.call('TYPE', key).ok
if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', key) end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local text = string.format('%.0f', now)
local held = 0
if ARGV[1] ~= '' then
  local until_ = tonumber(redis.call('ZSCORE', key, ARGV[1]) or '-1')
  if until_ > now then held = 1 end
  redis.call('ZADD', key, string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
  redis.call('PEXPIRE', key, ARGV[3])
end
redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now - tonumber(ARGV[3])))
return {
  held,
  redis.call('ZRANGEBYSCORE', key, '(' .. text, '+inf', 'LIMIT', 0, 1000),
  redis.call('ZRANGEBYSCORE', key, '-inf', text, 'LIMIT', 0, 1000),
}
