-- What append.lua and read.lua share; the loader puts this before each of them.
--
-- A log is one stream. Its entries' ids are <epoch>-<offset>; its name is also the sharded channel.
-- Offset 0 of every epoch is the opening entry, with no data: it gives a log without messages a position.
-- Fields, always these five in this order, so that the stream stores their names once:
--   t time, epoch milliseconds   i publish id   x except, JSON or ""   r master_replid   d data, JSON text

-- The master's replication id. It changes when a replica is promoted and when a master restarts:
-- whatever was appended since the last snapshot may be gone then, without any other sign.
local function replid()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
end

-- Epoch milliseconds as text, from TIME's seconds and microseconds.
local function millis(now)
  return now[1] .. string.format('%03d', math.floor(now[2] / 1000))
end

local function field(entry, name)
  local fields = entry[2]
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return ''
end

-- Splits an id as text: Lua prints numbers above 10^14 in exponent form.
local function position(entry)
  local epoch, offset = string.match(entry[1], '^(%d+)-(%d+)$')
  return epoch, offset
end

-- Takes a new epoch and opens the log with it. Epochs only ever rise, also when the clock went back.
local function open(key, last, now, replication)
  local epoch = now[1] .. string.format('%06d', now[2])
  if last and tonumber(epoch) <= tonumber(last) then
    epoch = string.format('%.0f', tonumber(last) + 1)
  end
  redis.call('DEL', key)
  redis.call('XADD', key, epoch .. '-0',
    't', millis(now), 'i', '', 'x', '', 'r', replication, 'd', '')
  return epoch, '0'
end

-- True where entries were deleted from the end of a log: what was appended last is then gone, and the newest that is left
-- would pass for the head.
local function beheaded(key, newest)
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] ~= newest end
  end
end

-- The head of a log, opened first where nobody did or where its past can't be vouched for.
-- `whole` asks for the check above too. An append needs none: it leaves a hole in the offsets, which every reader sees.
-- Returns epoch and offset as text, and whether it was opened just now.
local function head(key, now, whole)
  local replication = replid()
  local newest = redis.pcall('XREVRANGE', key, '+', '-', 'COUNT', 1)
  local last = nil
  if newest.err == nil and newest[1] then
    local epoch, offset = position(newest[1])
    if field(newest[1], 'r') == replication and string.len(epoch) <= 17 and not (whole and beheaded(key, newest[1][1])) then
      return epoch, offset, false, replication
    end
    if string.len(epoch) <= 15 or (string.len(epoch) == 16 and tonumber(epoch) < 9e15) then last = epoch end
  end
  local epoch, offset = open(key, last, now, replication)
  return epoch, offset, true, replication
end

-- Removes entries older than the age from the front, at most `most` of them, never the newest. One look at the oldest
-- settles it where nothing is old.
local function expire(key, nowMs, age, most)
  local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
  if not first or (tonumber(field(first, 't')) or 0) + age > nowMs then return end
  local oldest = redis.call('XRANGE', key, '-', '+', 'COUNT', most)
  local keep = nil
  for i = 1, #oldest do
    keep = oldest[i][1]
    if (tonumber(field(oldest[i], 't')) or 0) + age > nowMs then break end
  end
  if keep ~= first[1] then redis.call('XTRIM', key, 'MINID', '=', keep) end
end

-- Keeps an idle log as long as its messages could be wanted, and an hour more. Refreshed at half its life only: a write
-- for every call would burden replicas and the append-only file.
local function touch(key, age)
  if redis.call('PTTL', key) < (age + 3600000) / 2 then
    redis.call('PEXPIRE', key, string.format('%.0f', age + 3600000))
  end
end
