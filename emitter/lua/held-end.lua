-- Keeps an end, so that it counts for whoever is away, and drops subscriptions that have ended.
--
-- KEYS[1] the site's clock
-- KEYS[2] the ends of the owner, or of the site
-- KEYS[3] what the owner holds; may be absent
-- ARGV[1] the end as text, or "" for none
-- ARGV[2] milliseconds that it is kept without a use
-- ARGV[3] most ends kept
-- ARGV[4...] pairs: a subscription to drop, and the stamp that it must still have
-- Returns the stamp, "" where there is nothing to keep it for, or "full".

-- Where nothing is held a revocation has nothing to end; an unsubscribe may end what a token lists.
if string.sub(ARGV[1], 1, 1) ~= 'u' and redis.call('EXISTS', KEYS[1]) == 0 then return '' end
for at = 4, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[3], ARGV[at]) == ARGV[at + 1] then redis.call('ZREM', KEYS[3], ARGV[at]) end
end
if ARGV[1] == '' then return '' end
sorted(KEYS[2])
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) and not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  local oldest = nil
  for _, text in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    if string.sub(text, 1, 1) ~= 'r' then
      oldest = text
      break
    end
  end
  if not oldest then return 'full' end
  redis.call('ZREM', KEYS[2], oldest)
end
local life = tonumber(ARGV[2])
local stamp = tick(KEYS[1], life)
redis.call('ZADD', KEYS[2], stamp, ARGV[1])
keep(KEYS[2], life)
return stamp
