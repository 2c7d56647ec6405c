import { script } from './script.ts';

/**
 * Of each scope two keys: a hash with requests `r:` and tokens `t:` of each second, their sums `rs` and `ts`, the oldest second that
 * is kept `lo` and the newest that counts `hi`; and a hash of requests at once by gateway, each as long as its lease. A window has 61 seconds, as
 * `MinuteWindow`: what counts has come within the last minute. The time is Redis's.
 */
const COMMON = `
local SLOTS = 61
local KEEP_S = 180
local time = redis.call('TIME')
local second = tonumber(time[1])
local nowMs = second * 1000 + math.floor(tonumber(time[2]) / 1000)

-- Takes what is older than the window out of the sums; requests and tokens that count then.
local function used(key)
  local state = redis.call('HMGET', key, 'lo', 'rs', 'ts', 'hi')
  local lo, rs, ts, hi = tonumber(state[1]), tonumber(state[2] or '0'), tonumber(state[3] or '0'), tonumber(state[4] or '0')
  local first = second - SLOTS + 1
  if lo == nil then lo = first end
  if lo < first then
    for s = lo, math.min(first - 1, lo + SLOTS - 1) do
      local old = redis.call('HMGET', key, 'r:' .. s, 't:' .. s)
      if old[1] or old[2] then
        rs = rs - tonumber(old[1] or '0')
        ts = ts - tonumber(old[2] or '0')
        redis.call('HDEL', key, 'r:' .. s, 't:' .. s)
      end
    end
    lo = first
  end
  redis.call('HSET', key, 'lo', lo, 'rs', rs, 'ts', ts)
  redis.call('EXPIRE', key, KEEP_S)
  return rs, ts, hi
end

-- Milliseconds until at most 'room' of what counts now still does.
local function untilUsed(key, field, sum, room)
  if room < 0 then return 60000 end
  local left = sum
  for s = second - SLOTS + 1, second do
    if left <= room then return 0 end
    left = left - tonumber(redis.call('HGET', key, field .. s) or '0')
    if left <= room then return (s + SLOTS) * 1000 - nowMs end
  end
  return 0
end

local function add(key, s, requests, tokens)
  if requests ~= 0 then redis.call('HINCRBY', key, 'r:' .. s, requests); redis.call('HINCRBY', key, 'rs', requests) end
  if tokens ~= 0 then redis.call('HINCRBY', key, 't:' .. s, tokens); redis.call('HINCRBY', key, 'ts', tokens) end
  local hi = tonumber(redis.call('HGET', key, 'hi') or '0')
  if s > hi then redis.call('HSET', key, 'hi', s) end
end

-- Requests at once of other gateways whose lease lives.
local function elsewhere(key, gateway)
  local all = redis.call('HGETALL', key)
  local sum = 0
  for i = 1, #all, 2 do
    local count, expires = string.match(all[i + 1], '^(%d+) (%d+) ')
    if tonumber(expires) <= nowMs then redis.call('HDEL', key, all[i])
    elseif all[i] ~= gateway then sum = sum + tonumber(count) end
  end
  return sum
end

-- What was said later may come first: 'turn' grows with everything that a gateway says.
local function present(key, gateway, count, leaseMs, turn)
  local said = redis.call('HGET', key, gateway)
  if said and tonumber(string.match(said, '(%d+)$')) > turn then return end
  redis.call('HSET', key, gateway, string.format('%d %d %.0f', count, nowMs + leaseMs, turn))
  redis.call('PEXPIRE', key, leaseMs + 60000)
end
`;

/**
 * Looks at all scopes, then counts. ARGV: gateway, lease in ms, tokens, turn; then for each scope its limits of requests, tokens and
 * requests at once (-1: none), and how many of this gateway's are under way, with this one. Returns 1 or 0, the second and the millisecond; for each
 * scope requests, tokens and the ms until none counts; and of a refusal the scope from 1, the limit, what is used of it, and when it would fit.
 */
export const ENTER = script(`${COMMON}
local gateway, leaseMs, tokens, turn = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local scopes = #KEYS / 2
local views, refusal = {}, nil
for i = 1, scopes do
  local window, live = KEYS[2 * i - 1], KEYS[2 * i]
  local at = 4 + 4 * (i - 1)
  local rpm, tpm, most, own = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local rs, ts, hi = used(window)
  views[i] = { rs, ts, hi }
  if refusal == nil then
    local others = most >= 0 and elsewhere(live, gateway) or 0
    if most >= 0 and others + own > most then refusal = { i, 'concurrent', others + own - 1, 1000 }
    elseif rpm >= 0 and rs + 1 > rpm then refusal = { i, 'requests', rs, untilUsed(window, 'r:', rs, rpm - 1) }
    elseif tpm >= 0 and ts + tokens > tpm then refusal = { i, 'tokens', ts, untilUsed(window, 't:', ts, tpm - tokens) } end
  end
end
local answer = { refusal == nil and 1 or 0, second, nowMs }
for i = 1, scopes do
  local rs, ts, hi = views[i][1], views[i][2], views[i][3]
  if refusal == nil then
    local at = 4 + 4 * (i - 1)
    add(KEYS[2 * i - 1], second, 1, tokens)
    if tonumber(ARGV[at + 3]) >= 0 then present(KEYS[2 * i], gateway, tonumber(ARGV[at + 4]), leaseMs, turn) end
    rs, ts, hi = rs + 1, ts + tokens, second
  end
  table.insert(answer, rs)
  table.insert(answer, ts)
  table.insert(answer, math.max(0, (hi + SLOTS) * 1000 - nowMs))
end
if refusal ~= nil then for _, value in ipairs(refusal) do table.insert(answer, value) end end
return answer
`);

/** Corrects tokens where they were counted; more that comes to light after their minute counts now. ARGV: second, difference. */
export const CORRECT = script(`${COMMON}
local at, difference = tonumber(ARGV[1]), tonumber(ARGV[2])
for i = 1, #KEYS do
  used(KEYS[i])
  local isKept = at > second - SLOTS
  if isKept or difference > 0 then add(KEYS[i], isKept and at or second, 0, difference) end
end
return 1
`);

/** Says how many of this gateway's requests are under way in each scope. ARGV: gateway, lease in ms, turn, a count for each key. */
export const PRESENT = script(`${COMMON}
for i = 1, #KEYS do present(KEYS[i], ARGV[1], tonumber(ARGV[3 + i]), tonumber(ARGV[2]), tonumber(ARGV[3])) end
return 1
`);

/** Adds what was let in without Redis, once for each name of an outage. ARGV: gateway, name; then second, requests and tokens. */
export const CATCH_UP = script(`${COMMON}
used(KEYS[1])
local field = 'u:' .. ARGV[1]
if redis.call('HGET', KEYS[1], field) == ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], field, ARGV[2])
for i = 3, #ARGV, 3 do
  local at = tonumber(ARGV[i])
  if at > second - SLOTS then add(KEYS[1], math.min(at, second), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])) end
end
return 1
`);
