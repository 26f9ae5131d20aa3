-- Reads who came and went since a position, and keeps the topic's presence from expiring.
--
-- KEYS[1] members   KEYS[2] changes   KEYS[3] relays   KEYS[4] own
-- ARGV[1] epoch and ARGV[2] offset of the position; "" and "0" where there is none
-- Returns {epoch, offset of the head, members, own members, entries as XRANGE gives them}. Epoch "" where nothing is kept here;
-- entries only where they may be all: whether they are is for the reader to prove.

local members, changes, relays, own = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
sound(members, 'hash')
sound(relays, 'set')
sound(own, 'set')
local epoch, offset = head(changes)
local count, held = redis.call('HLEN', members), redis.call('SCARD', own)
if not epoch then return { '', '0', count, held, {} } end
touch(members, changes, relays, own)
local entries = {}
if epoch == ARGV[1] and offset ~= ARGV[2] then
  entries = redis.call('XRANGE', changes, '(' .. ARGV[1] .. '-' .. ARGV[2], '+', 'COUNT', CHANGES)
end
return { epoch, offset, count, held, entries }
