-- Has members of one relay come and go, in order, and tells of what changed.
--
-- KEYS[1] members   KEYS[2] changes   KEYS[3] relays   KEYS[4] own
-- ARGV[1] the relay
-- then for each: the member; "+" and the info as JSON text or "" for one who comes, "-" for one who goes
-- Returns {epoch, offset before, offset after} of the changes, as text.

local members, changes, relays, own = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
sound(members, 'hash')
sound(relays, 'set')
sound(own, 'set')
local epoch, before = open(changes)
local told = false
for at = 2, #ARGV, 2 do
  local member, mark = ARGV[at], ARGV[at + 1]
  local info = nil
  local changed
  if string.sub(mark, 1, 1) == '+' then
    info = string.sub(mark, 2)
    redis.call('SADD', own, member)
    changed = join(members, member, ARGV[1], info)
  else
    redis.call('SREM', own, member)
    changed = leave(members, member, ARGV[1])
  end
  if changed then
    record(changes, epoch, member, info)
    told = true
  end
end
if redis.call('EXISTS', own) == 1 then redis.call('SADD', relays, ARGV[1]) else redis.call('SREM', relays, ARGV[1]) end
touch(members, changes, relays, own)
if told then redis.call('SPUBLISH', changes, '') end
local _, after = head(changes)
return { epoch, before, after }
