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
--
-- A retry that is appended is also kept, for 5 minutes, in a sorted set of ids by offset, named <log>:retried:<epoch>: its first
-- attempt may still be on the way, in a connection that was given up, and arrives without the mark.
-- Channel payload: epoch, offset, time, id, except and data, joined by newlines; only data may hold more of them.

local key = KEYS[1]
local now = redis.call('TIME')
local nowMs = millis(now)
local age = tonumber(ARGV[2])
local epoch, _, fresh, replication = head(key, now)
-- Not among KEYS, which callers of any version name; it shares the hash tag. A caller may lack the permission for it.
local retried = key .. ':retried:' .. epoch
local hasRetried = redis.pcall('EXISTS', retried) == 1

-- Keeps what another attempt may still bring, no more than the newest 1,000 of a log.
local function remember(id, offset)
  -- It guards against what is rare: a failure here must not undo the append.
  if redis.pcall('ZADD', retried, offset, id) ~= 1 then return end
  hasRetried = true
  redis.pcall('EXPIRE', retried, 300)
  if redis.pcall('ZCARD', retried) > 1000 then redis.pcall('ZREMRANGEBYRANK', retried, 0, -1001) end
end

-- The offset of an earlier attempt, or nil.
local function earlier(id, retry, idempotency)
  if fresh then return nil end
  if hasRetried then
    local offset = redis.pcall('ZSCORE', retried, id)
    if type(offset) == 'string' then return offset end
  end
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
  local retry = string.find(marks, 'r', 1, true)
  if retry or idempotency or hasRetried then offset = earlier(id, retry, idempotency) end
  if offset then
    reply[#reply + 1] = offset .. '*'
  else
    local entry = redis.call('XADD', key, 'MAXLEN', '=', ARGV[1], epoch .. '-*',
      't', nowMs, 'i', id, 'x', except, 'r', replication, 'd', data)
    offset = string.match(entry, '-(%d+)$')
    if idempotency then redis.call('SET', idempotency, entry, 'EX', 300) end
    if retry then remember(id, offset) end
    redis.call('SPUBLISH', key, table.concat({ epoch, offset, nowMs, id, except, data }, '\n'))
    fresh = false
    tenth = tenth or string.sub(offset, -1) == '0'
    reply[#reply + 1] = offset
  end
end

if tenth then expire(key, tonumber(nowMs), age, 64) end
touch(key, age)
return table.concat(reply, ' ')
