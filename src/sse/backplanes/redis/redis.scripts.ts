import { createHash } from 'node:crypto';

/** Redis runs such a script on a primary whose memory is not full. */
const DENY_OOM = '#!lua';
/** Redis runs such a script on a primary, also while its memory is full: `purge()` and `revoke()` have to work then. */
export const ALLOW_OOM = '#!lua flags=allow-oom';

/** Gives a script `NOW`, the server's clock in milliseconds: the clocks of the instances may differ. */
export const CLOCK = `
local TIME = redis.call('TIME')
local NOW = TIME[1] * 1000 + math.floor(TIME[2] / 1000)
`;

/**
 * An append that finds room trims nothing and does not put off the expiry: trimming each time took Redis half as long
 * again. So a log has up to an eighth more entries or bytes than its limits, {@link BATCH} entries at most, and stays for up
 * to an eighth of the ttl longer. A read trims first: nobody sees what is beyond the limits.
 */
const SHARE = 8;
const BATCH = 16;

/**
 * Each operation on a channel's log is one script, and Redis runs one at a time: all instances see the same order. A
 * channel has these keys, under one hash tag:
 *
 * - the log, a Stream. An entry's id is `<offset>-0`. Its fields are `p` (its mark, and offset and mark of the entry
 *   before it), `a` (when it was published), `n` (its bytes) and `e` (the event);
 * - the state, a Hash of the variables that `load` sets. A channel without one is not there;
 * - for each recent publish id, a String with the position of its event. Both are written together, so a Redis that
 *   comes back older has neither.
 *
 * A notice is sent by PUBLISH: a line of words, and for an entry its event after that line.
 *
 * A script first reads and does all that can fail, and then writes: after an error nothing was done.
 */
const NAMES = `${CLOCK}
local LOG, STATE, NOTICES = KEYS[1], KEYS[2], ARGV[1]

local function text(number) return string.format('%.0f', number) end
`;

const HEAD = `
-- An entry's mark, and offset and mark of the one before it; nothing if another application wrote the entry.
local function marksOf(entry)
  local fields = entry[2]
  if fields[1] ~= 'p' or fields[3] ~= 'a' or fields[5] ~= 'n' then return nil end
  return string.match(fields[2], '^(%w+) (%d+) (%w+)$')
end

-- The state: the newest event (head, mark), the last one let go of (floor, floorMark), the mark of the position before
-- the first event (birth), when the log was made (born), the offset up to which it was purged (cleared), whether it was
-- completed (done), the bytes of its entries, and the limits that they may reach: '<count> <bytes>', and age. Beside them
-- the Hash has until when it is kept. Version 0.2.0 trims each time, and leaves the limits and that as they are.
local head, mark, floor, floorMark, birth, born, cleared, done, bytes, limits, age
local isChanged = false

local function load()
  local s = redis.call('HMGET', STATE, 'head', 'floor', 'birth', 'cleared', 'done', 'bytes', 'limits', 'age')
  if not (s[1] and s[2] and s[3]) then return false end
  head, mark = string.match(s[1], '^(%d+) (%w+)$')
  floor, floorMark = string.match(s[2], '^(%d+) (%w+)$')
  birth, born = string.match(s[3], '^(%w+) (%d+)$')
  head, floor, born = tonumber(head), tonumber(floor), tonumber(born)
  cleared, done, bytes, limits, age = tonumber(s[4]) or 0, s[5] == '1', tonumber(s[6]) or 0, s[7] or '', tonumber(s[8])
  return head and floor and born and true or false
end

local function make(newBirth)
  -- Entries may be left of a log that has lost its state.
  redis.call('DEL', LOG)
  head, mark, floor, floorMark, birth, born = 0, newBirth, 0, newBirth, newBirth, NOW
  cleared, done, bytes, limits, age = 0, false, 0, '', nil
end

local function save()
  redis.call('HSET', STATE, 'head', text(head) .. ' ' .. mark, 'floor', text(floor) .. ' ' .. floorMark,
    'birth', birth .. ' ' .. text(born), 'cleared', text(cleared), 'done', done and '1' or '0', 'bytes', text(bytes),
    'limits', limits, 'age', age and text(age) or '')
end

local function keep(ttl)
  local time = tonumber(ttl)
  local most = time and text(time + math.floor(time / ${SHARE}))
  for _, key in ipairs({ LOG, STATE }) do
    if time then redis.call('PEXPIRE', key, most) else redis.call('PERSIST', key) end
  end
  redis.call('HSET', STATE, 'kept', time and text(NOW + most) or 'ever')
end

-- Lets go of the oldest entries that there is no room for; the newest leaves only when it is too old.
local function trim()
  local count, maxBytes = string.match(limits, '^(%S*) (%S*)$')
  count, maxBytes = tonumber(count), tonumber(maxBytes)
  local size = redis.call('XLEN', LOG)
  local function isTooMuch(left)
    return left > 1 and ((count and left > count) or (maxBytes and bytes > maxBytes))
  end
  local isOver = true
  while isOver and size > 0 do
    if not age and not isTooMuch(size) then return end
    local left = size
    local some = math.max(1, math.min(${BATCH}, size - (count or size)))
    for _, oldest in ipairs(redis.call('XRANGE', LOG, '-', '+', 'COUNT', some)) do
      local itsMark = marksOf(oldest)
      isOver = isTooMuch(left) or (age and (itsMark and tonumber(oldest[2][4]) or 0) <= NOW - age)
      if not isOver then break end
      left = left - 1
      local offset = tonumber(string.match(oldest[1], '%d+'))
      if itsMark and offset > floor and offset <= head then
        floor, floorMark = offset, itsMark
        bytes = math.max(0, bytes - (tonumber(oldest[2][6]) or 0))
      end
    end
    if left < size then
      redis.call('XTRIM', LOG, 'MAXLEN', left)
      isChanged = true
    end
    size = left
  end
end
`;

const READING = `
-- Lets go of what is too old, and finds out whether another application has removed the oldest entries.
local function tidy()
  trim()
  local oldest = redis.call('XRANGE', LOG, '-', '+', 'COUNT', 1)[1]
  if not oldest then
    if floor < head then floor, floorMark, bytes, isChanged = head, mark, 0, true end
    return
  end
  local itsMark, previous, previousMark = marksOf(oldest)
  if itsMark and tonumber(previous) > floor then
    floor, floorMark, isChanged = tonumber(previous), previousMark, true
  end
end

-- Whether the log holds that very event, or let go of it last.
local function holds(offset, itsMark)
  if offset == head then return itsMark == mark end
  if offset == floor then return itsMark == floorMark end
  if offset < floor or offset > head then return false end
  local entry = redis.call('XRANGE', LOG, text(offset) .. '-0', text(offset) .. '-0')[1]
  return entry and marksOf(entry) == itsMark or false
end
`;

const TELLING = `
local function publish(what, offset, itsMark)
  redis.call('PUBLISH', NOTICES, what .. ' ' .. text(offset) .. ' ' .. itsMark)
end
`;

/** A script and the name under which Redis knows it. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

const script = (text: string): RedisScript => ({ text, sha: createHash('sha1').update(text).digest('hex') });

/**
 * KEYS 3: the publish id, if there is one. ARGV 2: the event's mark, which is the birth too of a log that is made
 * now; 3: count, 4: bytes, 5: age, 6: ttl, each empty for none; 7: the deadline, 8: the bytes of the event, 9: the
 * event, 10: how long a publish id is remembered.
 *
 * Answers one of `['stored', offset, '<offset> <mark>' of the position before it, at, now]`,
 * `['known', offset, mark, now]`, `['completed', now]` and `['late', now]`.
 */
const append = script(`${DENY_OOM}${NAMES}
local known = KEYS[3] and redis.call('GET', KEYS[3])
if known then return { 'known', string.match(known, '%d+'), string.match(known, '%w+$'), text(NOW) } end
local given, deadline, size, at = ARGV[3] .. ' ' .. ARGV[4], tonumber(ARGV[7]), tonumber(ARGV[8]), text(NOW)
local offset, before
local function fields() return 'p', ARGV[2] .. ' ' .. before, 'a', at, 'n', ARGV[8], 'e', ARGV[9] end

-- Most events find room in a log that is kept for long enough: then only head and bytes change, and it takes Redis half
-- as long. Answers whether that is so.
local function addToRoom()
  local batch = math.min(${BATCH}, math.floor((tonumber(ARGV[3]) or math.huge) / ${SHARE}))
  if batch < 2 or NOW > deadline then return false end
  local s = redis.call('HMGET', STATE, 'head', 'bytes', 'limits', 'age', 'done', 'kept')
  local head = s[1] and tonumber(string.match(s[1], '^%d+'))
  if not head or s[3] ~= given or s[4] ~= ARGV[5] or s[5] ~= '0' then return false end
  before, offset = s[1], head + 1
  local bytes, maxBytes = (tonumber(s[2]) or 0) + size, tonumber(ARGV[4]) or math.huge
  if offset % batch == 0 or bytes > maxBytes + maxBytes / ${SHARE} then return false end
  local ttl, left = tonumber(ARGV[6]), (tonumber(s[6]) or 0) - NOW
  if ttl and (left < ttl or left > ttl + ttl / ${SHARE}) or not ttl and s[6] ~= 'ever' then return false end
  -- A Stream that is not there would be made without an expiry.
  local added = redis.pcall('XADD', LOG, 'NOMKSTREAM', text(offset) .. '-0', fields())
  if not added or added.err then return false end
  redis.call('HSET', STATE, 'head', text(offset) .. ' ' .. ARGV[2], 'bytes', text(bytes))
  return true
end

if not addToRoom() then
${HEAD}
  local isThere = load()
  if isThere and done then return { 'completed', at } end
  if NOW > deadline then return { 'late', at } end
  if not isThere then make(ARGV[2]) end
  offset, before = head + 1, text(head) .. ' ' .. mark
  local added = redis.pcall('XADD', LOG, text(offset) .. '-0', fields())
  if added.err then
    -- Another application has written an entry with a later id.
    local info = redis.call('XINFO', 'STREAM', LOG)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then offset = math.max(offset, tonumber(string.match(info[i + 1], '%d+')) + 1) end
    end
    added = redis.pcall('XADD', LOG, text(offset) .. '-0', fields())
    if added.err then return added end
  end
  head, mark, bytes, limits, age = offset, ARGV[2], bytes + size, given, tonumber(ARGV[5])
  trim()
  save()
  keep(ARGV[6])
end
local position = text(offset) .. ' ' .. ARGV[2]
if KEYS[3] then redis.call('SET', KEYS[3], position, 'PX', ARGV[10]) end
redis.call('PUBLISH', NOTICES, 'entry ' .. position .. ' ' .. before .. ' ' .. at .. '\\n' .. ARGV[9])
return { 'stored', text(offset), before, at, at }
`);

/** Given in place of the ttl: the read does not put off the expiry of the channel, nor change its age limit. */
export const AS_IT_IS = 'as it is';

/**
 * ARGV 2: age, 3: ttl, or {@link AS_IT_IS}; 4 and 5: offset and mark of the position to read after, 6 and 7: of the
 * event to read up to, each with an empty offset for none. 8: the most entries; empty for all. Without a position to
 * read after, the newest entries come first. If the log does not hold that position, the oldest do.
 *
 * Answers the time; and if the channel is there also its state, whether it holds the two positions, and the entries.
 */
const read = script(`${ALLOW_OOM}${NAMES}${HEAD}${READING}
if not load() then return { text(NOW) } end
local isFollowed = ARGV[3] ~= '${AS_IT_IS}'
if isFollowed then age = tonumber(ARGV[2]) end
tidy()
if isChanged then save() end
if isFollowed then keep(ARGV[3]) end
local after, upTo = tonumber(ARGV[4]), tonumber(ARGV[6])
local hasAfter = after and holds(after, ARGV[5])
local hasUpTo = upTo and holds(upTo, ARGV[7])
local first = hasAfter and text(after + 1) .. '-0' or '-'
local last = hasUpTo and text(upTo) .. '-0' or '+'
local limit = ARGV[8] ~= '' and { 'COUNT', ARGV[8] } or {}
local entries
if after then entries = redis.call('XRANGE', LOG, first, last, unpack(limit))
else entries = redis.call('XREVRANGE', LOG, last, first, unpack(limit)) end
return { text(NOW), text(head), mark, text(floor), floorMark, birth, text(born), text(cleared), done and '1' or '0',
  hasAfter and '1' or '0', hasUpTo and '1' or '0', entries }
`);

/** ARGV 2: the birth of the log if it is made now, 3: ttl. Answers the head. */
const complete = script(`${ALLOW_OOM}${NAMES}${HEAD}${TELLING}
if not load() then make(ARGV[2]) end
if not done then
  done = true
  save()
  publish('completed', head, mark)
end
keep(ARGV[3])
return { text(head), mark }
`);

/** Answers the head, or nothing if the channel is not there. */
const purge = script(`${ALLOW_OOM}${NAMES}${HEAD}${TELLING}
if not load() then return false end
redis.call('DEL', LOG)
floor, floorMark, cleared, bytes = head, mark, head, 0
save()
publish('purged', head, mark)
return { text(head), mark }
`);

/**
 * KEYS 1: the record of the store's name. ARGV 1: a name if it needs one. Answers its name.
 *
 * A store that has come back empty, or whose clock was set back, gets another name. The positions of absent channels
 * have the store's name and a time, and are no longer valid then. A replica that takes over may be some milliseconds
 * behind.
 */
const store = script(`${ALLOW_OOM}${CLOCK}
local known = redis.call('HMGET', KEYS[1], 'name', 'time')
local name, last = known[1], tonumber(known[2])
if not name or not last or NOW < last - 100 then
  name, last = ARGV[1], 0
end
if NOW > last + 100 then redis.call('HSET', KEYS[1], 'name', name, 'time', string.format('%.0f', NOW)) end
return name
`);

export const SCRIPTS = { append, read, complete, purge, store };

/**
 * The commands that our scripts call, those of the cluster too. For a user who lacks the right to one of them, a script
 * would fail half-way.
 */
const CALLED = [
  ...['TIME', 'PUBLISH', 'DEL', 'EXISTS', 'GET', 'SET', 'PERSIST', 'PEXPIRE', 'PTTL'],
  ...['HDEL', 'HEXISTS', 'HGETALL', 'HMGET', 'HSET', 'SADD', 'SMEMBERS', 'SREM'],
  ...['XADD', 'XINFO STREAM', 'XLEN', 'XRANGE', 'XREVRANGE', 'XTRIM'],
  ...['ZADD', 'ZRANGEBYSCORE', 'ZREM', 'ZREMRANGEBYSCORE'],
];

/**
 * Does nothing. It is refused where our scripts would be: by a server that runs none at present, and where the user
 * lacks a right. KEYS 1: any name of ours.
 */
export const PROBE = `${ALLOW_OOM}
for _, name in ipairs({ '${CALLED.join("', '")}' }) do
  local command = {}
  for word in string.gmatch(name .. ' ' .. KEYS[1], '%S+') do command[#command + 1] = word end
  if not redis.acl_check_cmd(unpack(command)) then
    return redis.error_reply('NOPERM this user may not run ' .. name .. ' on names that begin as ' .. KEYS[1])
  end
end
return 1`;
