-- Reads who is present on a topic.
--
-- KEYS[1] members   KEYS[2] changes   KEYS[3] relays
-- ARGV[1] most members to give; of more than these, any
-- Returns {epoch, offset of the changes' head, members in all, relays that have some, {member, value, ...}}.

local members, changes, relays = KEYS[1], KEYS[2], KEYS[3]
sound(members, 'hash')
sound(relays, 'set')
local epoch, offset = head(changes)
local count = redis.call('HLEN', members)
local most = tonumber(ARGV[1])
local rows = {}
if most > 0 and count > most then rows = redis.call('HRANDFIELD', members, most, 'WITHVALUES')
elseif most > 0 then rows = redis.call('HGETALL', members) end
return { epoch or '', offset or '0', count, redis.call('SMEMBERS', relays), rows }
