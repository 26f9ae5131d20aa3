-- Appends one message to a topic's log and publishes it on the channel of the same name.
--
-- KEYS[1] the log, and the channel
-- KEYS[2] only where the caller gave the id: its idempotency key, kept for 5 minutes
-- ARGV[1] data, JSON text (never decoded here)
-- ARGV[2] publish id
-- ARGV[3] except, JSON text, or ""
-- ARGV[4] "1" for a retry: an earlier attempt with this id may have gone in
-- ARGV[5] most messages the log keeps
-- ARGV[6] most milliseconds it keeps them
-- Returns {epoch, offset, "1" where the message was there already, else "0"}, all text.
-- Channel payload: epoch, offset, time, id, except and data, joined by newlines; only data may hold more of them.

local key = KEYS[1]
local now = redis.call('TIME')
local nowMs = millis(now)
local epoch, offset, fresh, replication = head(key, now)

if not fresh and ARGV[4] == '1' then
  local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1000)
  for i = 1, #newest do
    if field(newest[i], 'i') == ARGV[2] then
      local foundEpoch, foundOffset = position(newest[i])
      return { foundEpoch, foundOffset, '1' }
    end
  end
end
if KEYS[2] and not fresh then
  local known = redis.pcall('GET', KEYS[2])
  if type(known) == 'string' then
    local knownEpoch, knownOffset = string.match(known, '^(%d+)-(%d+)$')
    if knownEpoch == epoch then return { knownEpoch, knownOffset, '1' } end
  end
end

local id = redis.call('XADD', key, 'MAXLEN', '=', ARGV[5], epoch .. '-*',
  't', nowMs, 'i', ARGV[2], 'x', ARGV[3], 'r', replication, 'd', ARGV[1])
offset = string.match(id, '-(%d+)$')
if KEYS[2] then redis.call('SET', KEYS[2], id, 'EX', 300) end
if string.sub(offset, -1) == '0' then expire(key, tonumber(nowMs), tonumber(ARGV[6]), 64) end
touch(key, tonumber(ARGV[6]))
redis.call('SPUBLISH', key, table.concat({ epoch, offset, nowMs, ARGV[2], ARGV[3], ARGV[1] }, '\n'))
return { epoch, offset, '0' }
