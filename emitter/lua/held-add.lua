-- Holds a subscription for an owner.
--
-- KEYS[1] the site's clock
-- KEYS[2] what the owner holds
-- ARGV[1] the subscription: topic and filter as text; the same again only moves its stamp
-- ARGV[2] milliseconds that it is kept without a use
-- ARGV[3] most that one owner holds
-- Returns the stamp, or "full".

sorted(KEYS[2])
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) and not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 'full' end
local life = tonumber(ARGV[2])
local stamp = tick(KEYS[1], life)
redis.call('ZADD', KEYS[2], stamp, ARGV[1])
keep(KEYS[2], life)
return stamp
