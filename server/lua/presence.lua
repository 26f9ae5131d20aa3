-- What the scripts of a topic's presence share; the loader puts this before each of them.
--
-- members: a hash of who is here. Field: u<user>, or s<session> or c<client> of the anonymous, who count and are not listed.
--   Value: the relays that they are connected to, separated by spaces, a line break, and the info as JSON text or "".
-- changes: a stream of who came and went, the newest few hundred. Ids are <epoch>-<offset>, as in a log; the epoch is the time
--   at which it was opened, in microseconds. Fields: m the member, "" for the anonymous; i the info, absent for who went.
--   Its name is also the sharded channel that tells of changes; the payload says nothing.
-- relays: a set of the relays that have members here.   own: a set of one relay's members here.

local CHANGES = 512
local LIFE = 3600000

-- Whatever else is under our name is garbage, and goes.
local function sound(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then redis.call('DEL', key) end
end

-- The head of the changes, as text; nil where there are none.
local function head(changes)
  sound(changes, 'stream')
  local newest = redis.call('XREVRANGE', changes, '+', '-', 'COUNT', 1)[1]
  if newest then return string.match(newest[1], '^(%d+)-(%d+)$') end
end

-- The same; opens the changes first where there are none.
local function open(changes)
  local epoch, offset = head(changes)
  if epoch then return epoch, offset end
  local now = redis.call('TIME')
  epoch = now[1] .. string.format('%06d', now[2])
  redis.call('DEL', changes)
  redis.call('XADD', changes, epoch .. '-0', 'm', '')
  return epoch, '0'
end

local function record(changes, epoch, member, info)
  local shown = ''
  if string.sub(member, 1, 1) == 'u' then shown = member end
  if info and shown ~= '' then
    redis.call('XADD', changes, 'MAXLEN', '=', CHANGES, epoch .. '-*', 'm', shown, 'i', info)
  else
    redis.call('XADD', changes, 'MAXLEN', '=', CHANGES, epoch .. '-*', 'm', shown)
  end
end

-- The relays and the info of a member.
local function member_of(members, member)
  local value = redis.call('HGET', members, member)
  if not value then return {}, nil end
  local list, info = string.match(value, '^([^\n]*)\n(.*)$')
  local relays = {}
  for relay in string.gmatch(list or '', '%S+') do relays[#relays + 1] = relay end
  return relays, info
end

-- Both return whether that is a change to be told.

local function join(members, member, relay, info)
  local relays, before = member_of(members, member)
  local there = #relays > 0
  local known = false
  for i = 1, #relays do known = known or relays[i] == relay end
  if not known then relays[#relays + 1] = relay end
  if not known or before ~= info then redis.call('HSET', members, member, table.concat(relays, ' ') .. '\n' .. info) end
  return not there or before ~= info
end

local function leave(members, member, relay)
  local relays, info = member_of(members, member)
  local left = {}
  for i = 1, #relays do
    if relays[i] ~= relay then left[#left + 1] = relays[i] end
  end
  if #left > 0 then
    if #left < #relays then redis.call('HSET', members, member, table.concat(left, ' ') .. '\n' .. info) end
    return false
  end
  return redis.call('HDEL', members, member) == 1
end

-- Refreshed at half its life only: a write for every call would burden replicas and the append-only file.
local function touch(...)
  for _, key in ipairs({ ... }) do
    local left = redis.call('PTTL', key)
    if left ~= -2 and left < LIFE / 2 then redis.call('PEXPIRE', key, LIFE) end
  end
end
