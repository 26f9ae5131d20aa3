-- What the other held-*.lua share; the loader puts this before each of them.
--
-- Per site a clock, a text: the stamp of the last command, microseconds. Where there is none, nothing is held on the site.
-- Per owner (a user, session or client) two sorted sets by stamp: subscriptions held, and ends. Per site one more set of ends.

-- A name that something else was written under is emptied: what stood there was not ours.
local function sorted(key)
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', key) end
end

-- The next stamp as text: the time in microseconds, and always above the last one. Keeps the clock longer than what it orders.
local function tick(clock, life)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  local last = redis.pcall('GET', clock)
  if type(last) == 'string' and string.find(last, '^%d+$') and #last <= 16 then now = math.max(now, tonumber(last) + 1) end
  local stamp = string.format('%.0f', now)
  redis.call('SET', clock, stamp, 'PX', string.format('%.0f', life * 2))
  return stamp
end

-- Keeps a key for at least `life` milliseconds from now, and at most a quarter more: a write for every use would burden replicas.
local function keep(key, life)
  local left = redis.call('PTTL', key)
  if left ~= -2 and left < life then redis.call('PEXPIRE', key, string.format('%.0f', life * 1.25)) end
end
