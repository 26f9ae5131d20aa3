-- Appends messages to a topic's log, in order, and publishes each on the channel of the same name.
--
-- KEYS[1] the log, and the channel
-- KEYS[2...] for each message whose caller gave the id, in order: its idempotency key, kept for 5 minutes
-- ARGV[1] most messages the log keeps
-- ARGV[2] most milliseconds it keeps them
-- then for each message, at least one:
--   data, JSON text (never decoded here)
--   publish id
--   except, JSON text, or ""
--   marks: "r" for a retry, an earlier attempt with this id may have gone in; "k" where a key holds the id; "rk" or ""
-- Returns text: the epoch, and for each message its offset, followed by * where it was there already; joined by spaces.
-- Channel payload: epoch, offset, time, id, except and data, joined by newlines; only data may hold more of them.

local key = KEYS[1]
local now = redis.call('TIME')
local nowMs = millis(now)
local age = tonumber(ARGV[2])
local epoch, _, fresh, replication = head(key, now)

-- The offset of an earlier attempt, or nil.
local function earlier(id, retry, idempotency)
  if fresh then return nil end
  if retry then
    local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1000)
    for i = 1, #newest do
      if field(newest[i], 'i') == id then
        local _, offset = position(newest[i])
        return offset
      end
    end
  end
  if idempotency then
    local known = redis.pcall('GET', idempotency)
    if type(known) == 'string' then
      local knownEpoch, knownOffset = string.match(known, '^(%d+)-(%d+)$')
      if knownEpoch == epoch then return knownOffset end
    end
  end
  return nil
end

local reply = { epoch }
local keys = 1
local tenth = false
for at = 3, #ARGV, 4 do
  local data, id, except, marks = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local idempotency = nil
  if string.find(marks, 'k', 1, true) then
    keys = keys + 1
    idempotency = KEYS[keys]
  end
  local offset = nil
  if marks ~= '' then offset = earlier(id, string.find(marks, 'r', 1, true), idempotency) end
  if offset then
    reply[#reply + 1] = offset .. '*'
  else
    local entry = redis.call('XADD', key, 'MAXLEN', '=', ARGV[1], epoch .. '-*',
      't', nowMs, 'i', id, 'x', except, 'r', replication, 'd', data)
    offset = string.match(entry, '-(%d+)$')
    if idempotency then redis.call('SET', idempotency, entry, 'EX', 300) end
    redis.call('SPUBLISH', key, table.concat({ epoch, offset, nowMs, id, except, data }, '\n'))
    fresh = false
    tenth = tenth or string.sub(offset, -1) == '0'
    reply[#reply + 1] = offset
  end
end

if tenth then expire(key, tonumber(nowMs), age, 64) end
touch(key, age)
return table.concat(reply, ' ')
