-- Reads what is held for the owners of one connection, and counts as a use of it.
--
-- KEYS[1] the site's clock
-- KEYS[2] the site's ends
-- KEYS[3...] for each owner: what it holds, and its ends
-- ARGV[1] milliseconds that they are kept without a use
-- ARGV[2] most members that one of the sets may have; a larger one, which nobody of ours wrote, counts as empty
-- ARGV[3] most bytes of one member; longer ones are given as ""
-- Returns false where nothing is held on the site, else for each key after the first {member, stamp, member, stamp, ...}.

if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local life = tonumber(ARGV[1])
local longest = tonumber(ARGV[3])
local reply = {}
for at = 2, #KEYS do
  local size = redis.pcall('ZCARD', KEYS[at])
  local rows = {}
  if type(size) == 'number' and size > 0 and size <= tonumber(ARGV[2]) then
    rows = redis.call('ZRANGE', KEYS[at], 0, -1, 'WITHSCORES')
    for i = 1, #rows, 2 do
      if #rows[i] > longest then rows[i] = '' end
    end
    keep(KEYS[at], life)
  end
  reply[at - 1] = rows
end
-- Longer than what it orders.
if redis.call('PTTL', KEYS[1]) < life * 1.5 then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', life * 2)) end
return reply
