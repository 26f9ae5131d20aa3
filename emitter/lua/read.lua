-- Reads one page of a topic's log, and opens the log where nobody did, so that "nothing yet" can be proved later.
--
-- KEYS[1] the log
-- ARGV[1] the entry to read after, <epoch>-<offset>; "-" for the oldest page; "+" for the newest
-- ARGV[2] most messages the log keeps
-- ARGV[3] most milliseconds it keeps them
-- ARGV[4] most entries of a page: a script that runs for long keeps everybody waiting
-- Returns {epoch, offset of the head, entries as XRANGE gives them, the time in epoch milliseconds}.

local key = KEYS[1]
local now = redis.call('TIME')
local age = tonumber(ARGV[3])
local epoch, offset, fresh = head(key, now, true)
if ARGV[1] == '-' and not fresh then
  expire(key, tonumber(millis(now)), age, tonumber(ARGV[2]))
end
touch(key, age)
local entries
if ARGV[1] == '+' then
  local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', ARGV[4])
  entries = {}
  for i = #newest, 1, -1 do entries[#entries + 1] = newest[i] end
else
  local from = '-'
  if ARGV[1] ~= '-' then from = '(' .. ARGV[1] end
  entries = redis.call('XRANGE', key, from, '+', 'COUNT', ARGV[4])
end
return { epoch, offset, entries, millis(now) }
