-- Takes over what a relay that is gone has left to be told.
--
-- KEYS[1] what it registered, a hash
-- KEYS[2] the same once taken: should it come back, it registers anew
-- KEYS[3] the claim: who tells it now
-- KEYS[4] the mark by which that relay learns that it was taken for gone
-- ARGV[1] the relay that takes over
-- ARGV[2] milliseconds that its claim holds
-- ARGV[3] milliseconds that the mark is kept
-- Returns 1 where there is something to tell and the claim is this relay's, else 0.

for i = 1, 3 do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'none' and kind ~= (i == 3 and 'string' or 'hash') then redis.call('DEL', KEYS[i]) end
end
if redis.call('EXISTS', KEYS[1], KEYS[2]) == 0 then return 0 end
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
-- What an earlier taker did not finish comes first.
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('RENAME', KEYS[1], KEYS[2])
  redis.call('SET', KEYS[4], ARGV[1], 'PX', ARGV[3])
end
return 1
