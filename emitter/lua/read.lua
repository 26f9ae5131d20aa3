-- Reads a topic's log from a position on, and opens it where nobody did, so that "nothing yet" can be proved later.
--
-- KEYS[1] the log
-- ARGV[1] the entry to read after, <epoch>-<offset>, or "-" for everything kept
-- ARGV[2] most messages the log keeps
-- ARGV[3] most milliseconds it keeps them
-- Returns {epoch, offset of the head, entries as XRANGE gives them, the time in epoch milliseconds}.

local key = KEYS[1]
local now = redis.call('TIME')
local age = tonumber(ARGV[3])
local epoch, offset, fresh = head(key, now, true)
if ARGV[1] == '-' and not fresh then
  expire(key, tonumber(millis(now)), age, tonumber(ARGV[2]))
end
touch(key, age)
local from = '-'
if ARGV[1] ~= '-' then from = '(' .. ARGV[1] end
return { epoch, offset, redis.call('XRANGE', key, from, '+'), millis(now) }
