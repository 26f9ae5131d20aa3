-- Has members of a relay go that is gone itself, some at a time.
--
-- KEYS[1] members   KEYS[2] changes   KEYS[3] relays   KEYS[4] that relay's own
-- ARGV[1] that relay
-- ARGV[2] most members to take away in one call
-- Returns how many of its members are left.

local members, changes, relays, own = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
sound(members, 'hash')
sound(relays, 'set')
sound(own, 'set')
local gone = redis.call('SPOP', own, ARGV[2])
if #gone > 0 then
  local epoch = open(changes)
  local told = false
  for i = 1, #gone do
    if leave(members, gone[i], ARGV[1]) then
      record(changes, epoch, gone[i], nil)
      told = true
    end
  end
  touch(members, changes)
  if told then redis.call('SPUBLISH', changes, '') end
end
local left = redis.call('SCARD', own)
if left == 0 then redis.call('SREM', relays, ARGV[1]) end
return left
