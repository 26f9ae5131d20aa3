-- Has a relay begin or cease to have subscriptions of a topic, or of one filter on it.
--
-- KEYS[1] a set of the relays that have some
-- ARGV[1] the relay
-- ARGV[2] "+" it has some, "-" it has none
-- ARGV[3] milliseconds that the set is kept
-- Returns {1 where it is the first, or where none is left; else 0, the time in epoch milliseconds as text}.

local key = KEYS[1]
local kind = redis.call('TYPE', key).ok
if kind ~= 'set' and kind ~= 'none' then redis.call('DEL', key) end
local turned = 0
if ARGV[2] == '+' then
  local added = redis.call('SADD', key, ARGV[1])
  if added == 1 and redis.call('SCARD', key) == 1 then turned = 1 end
  redis.call('PEXPIRE', key, ARGV[3])
else
  redis.call('SREM', key, ARGV[1])
  -- Also where it was not there: whoever took it out may have ended before telling.
  if redis.call('EXISTS', key) == 0 then turned = 1 end
end
local time = redis.call('TIME')
return { turned, time[1] .. string.format('%03d', math.floor(time[2] / 1000)) }
