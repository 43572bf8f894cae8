import { createHash } from 'node:crypto';

/**
 * What is done to a channel's log is done by one script at a time, so that all instances see the same
 * order. Of each channel there are, under one hash tag:
 *
 * - the log, a Stream: an entry's id is `<offset>-0`, its fields are `p` the offset before it, `a` when it
 *   was published, `n` its bytes, and `e` the event;
 * - the state, a Hash: what holds for the log as a whole, see `load`;
 * - for each publish id lately used a String with the position it was given.
 *
 * Notices go out by PUBLISH: a line of words, and after it the event, if it is an entry's.
 *
 * A script reads first, and what can fail comes before the first write: an error means nothing was done.
 * The shebang makes Redis check before it starts that it has the memory and is no replica.
 */
const HEAD = `#!lua
local LOG, STATE, NOTICES, RUN, FRESH_EPOCH = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local KNOWN_EPOCH, KNOWN_OFFSET = ARGV[4], tonumber(ARGV[5])
local TIME = redis.call('TIME')
local NOW = TIME[1] * 1000 + math.floor(TIME[2] / 1000)

local function text(number) return string.format('%.0f', number) end

-- What holds for the log as a whole: epoch, head, floor; what was purged up to (cleared); whether it is
-- done; the bytes of its entries; the server process that wrote last (run); and the offsets that were left
-- out because that process was another than the one before (from, to).
local epoch, head, floor, cleared, done, bytes, run, from, to, age
local isChanged, isRewound = false, false

local function load(isToBeMade)
  local s = redis.call('HMGET', STATE, 'epoch', 'head', 'floor', 'cleared', 'done', 'bytes', 'run', 'from', 'to', 'age')
  epoch, done, run, age = s[1], s[5] == '1', s[7], tonumber(s[10])
  head, floor, cleared = tonumber(s[2]) or 0, tonumber(s[3]) or 0, tonumber(s[4]) or 0
  bytes, from, to = tonumber(s[6]) or 0, tonumber(s[8]) or 0, tonumber(s[9]) or 0
  if not epoch then
    if not isToBeMade then return false end
    -- What is left of a log without its state has no epoch.
    redis.call('DEL', LOG)
    epoch, run, isChanged = FRESH_EPOCH, RUN, true
    return true
  end
  -- A server that was started anew may have come back with an older log. It leaves out the offsets that may
  -- have been given away since: none but the first instance to tell would know of them. As many as there are
  -- microseconds to this day, so that it never leaves out too few.
  if run ~= RUN then
    run, from, isChanged = RUN, head, true
    to = math.max(head + 1, TIME[1] * 1000000 + TIME[2])
  end
  -- What an instance has seen of this epoch is not in it: other events must not go by its ids.
  if KNOWN_EPOCH == epoch and (KNOWN_OFFSET > head or (KNOWN_OFFSET > from and KNOWN_OFFSET < to)) then
    epoch, from, to, isChanged, isRewound = FRESH_EPOCH, 0, 0, true, true
  end
  return true
end

local function save()
  redis.call('HSET', STATE, 'epoch', epoch, 'head', text(head), 'floor', text(floor), 'cleared', text(cleared),
    'done', done and '1' or '0', 'bytes', text(bytes), 'run', run, 'from', text(from), 'to', text(to), 'age', age and text(age) or '')
end

-- Of that, what an append changes as a rule: each field costs time.
local function saveProgress()
  redis.call('HSET', STATE, 'head', text(head), 'floor', text(floor), 'bytes', text(bytes))
end

local function keep(ttl)
  for _, key in ipairs({ LOG, STATE }) do
    if ttl == '' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ttl) end
  end
end

local function fieldsOf(entry)
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  return fields
end

-- Lets go of the oldest entries that there is no room for, but of the newest only for its age.
local function trim(count, maxBytes)
  local size = redis.call('XLEN', LOG)
  if size == 0 and floor < head then floor, bytes, isChanged = head, 0, true end
  while size > 0 do
    local isTooMuch = size > 1 and ((count and size > count) or (maxBytes and bytes > maxBytes))
    if not isTooMuch and not age then return end
    local oldest = redis.call('XRANGE', LOG, '-', '+', 'COUNT', 1)[1]
    local fields = fieldsOf(oldest)
    local isTooOld = age and (tonumber(fields.a) or 0) <= NOW - age
    if not isTooMuch and not isTooOld then return end
    size = size - 1
    redis.call('XTRIM', LOG, 'MAXLEN', size)
    if fields.p then
      floor = math.max(floor, math.min(head, tonumber(string.match(oldest[1], '%d+'))))
      bytes = math.max(0, bytes - (tonumber(fields.n) or 0))
    end
    isChanged = true
  end
end
`;

/** A script and the name under which Redis knows it. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

function script(body: string): RedisScript {
  const text = HEAD + body;
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/**
 * KEYS 3: the publish id, if there is one. ARGV 6: count, 7: bytes, 8: age, 9: ttl, each empty for none;
 * 10: the deadline, 11: the bytes of the event, 12: the event, 13: how long a publish id is remembered.
 *
 * Answers `stored` epoch offset previous at, `known` epoch offset at, `completed` at, or `late` at.
 */
const append = script(`
local known = KEYS[3] and redis.call('GET', KEYS[3])
if known then return { 'known', string.match(known, '%w+'), string.match(known, '%d+$'), text(NOW) } end
load(true)
if done then return { 'completed', text(NOW) } end
if NOW > tonumber(ARGV[10]) then return { 'late', text(NOW) } end
local isOnlyProgress = not isChanged and age == tonumber(ARGV[8])
local offset = math.max(head + 1, to)
local previous, at = text(head), text(NOW)
local function add()
  return redis.pcall('XADD', LOG, text(offset) .. '-0', 'p', previous, 'a', at, 'n', ARGV[11], 'e', ARGV[12])
end
local added = add()
if added.err then
  -- Somebody else has written an entry with a later id.
  local info = redis.call('XINFO', 'STREAM', LOG)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then offset = math.max(offset, tonumber(string.match(info[i + 1], '%d+')) + 1) end
  end
  added = add()
  if added.err then return added end
end
head, bytes, age = offset, bytes + tonumber(ARGV[11]), tonumber(ARGV[8])
trim(tonumber(ARGV[6]), tonumber(ARGV[7]))
if isOnlyProgress then saveProgress() else save() end
keep(ARGV[9])
local newest = text(offset)
local position = epoch .. ' ' .. newest
if KEYS[3] then redis.call('SET', KEYS[3], position, 'PX', ARGV[13]) end
redis.call('PUBLISH', NOTICES, 'entry ' .. position .. ' ' .. previous .. ' ' .. at .. '\\n' .. ARGV[12])
return { 'stored', epoch, newest, previous, at }
`);

/** What `open` and `read` answer: epoch, head, floor, cleared, done, and entries of id and fields. */
const ANSWER = `{ epoch, text(head), text(floor), text(cleared), done and '1' or '0', entries }`;

/**
 * ARGV 6: age, 7: ttl, 8: the epoch for which 9: a Stream's id is where the range begins, in another it
 * begins with the oldest; 10: the most entries.
 */
const open = script(`
load(true)
age = tonumber(ARGV[6])
trim()
if isChanged then save() end
keep(ARGV[7])
if isRewound then redis.call('PUBLISH', NOTICES, 'epoch ' .. epoch) end
local start = ARGV[8] == epoch and ARGV[9] or '-'
local entries = redis.call('XRANGE', LOG, start, '+', 'COUNT', ARGV[10])
return ${ANSWER}
`);

/** ARGV 6: where the range begins; empty for the newest. 7: the most entries; empty for all. */
const read = script(`
if not load(false) then return false end
trim()
if isChanged then save() end
local command, first, last = 'XRANGE', ARGV[6], '+'
if ARGV[6] == '' then command, first, last = 'XREVRANGE', '+', '-' end
local entries
if ARGV[7] == '' then entries = redis.call(command, LOG, first, last)
else entries = redis.call(command, LOG, first, last, 'COUNT', ARGV[7]) end
return ${ANSWER}
`);

/** ARGV 6: ttl. Answers epoch and head. */
const complete = script(`
load(true)
if not done then
  done = true
  save()
  redis.call('PUBLISH', NOTICES, 'completed ' .. epoch .. ' ' .. text(head))
end
keep(ARGV[6])
return { epoch, text(head) }
`);

/** Answers epoch and head, or nothing if there is no such channel. */
const purge = script(`
if not load(false) then return false end
redis.call('DEL', LOG)
floor, cleared, bytes = head, head, 0
save()
redis.call('PUBLISH', NOTICES, 'purged ' .. epoch .. ' ' .. text(head))
return { epoch, text(head) }
`);

export const SCRIPTS = { append, open, read, complete, purge };
