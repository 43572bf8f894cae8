/** What scripts call. One that may not call all of it would fail when it has done half. */
const CALLED = [
  ...['TIME', 'PUBLISH', 'DEL', 'EXISTS', 'GET', 'SET', 'PERSIST', 'PEXPIRE', 'PTTL'],
  ...['HDEL', 'HEXISTS', 'HGETALL', 'HMGET', 'HSET', 'SADD', 'SMEMBERS', 'SREM'],
  ...['XADD', 'XINFO STREAM', 'XLEN', 'XRANGE', 'XREVRANGE', 'XTRIM'],
  ...['ZADD', 'ZRANGEBYSCORE', 'ZREM', 'ZREMRANGEBYSCORE'],
];

/**
 * Does nothing. It is refused by a server that would refuse our scripts at present, and where the user lacks a right
 * that they need. KEYS 1: any name of ours.
 */
export const PROBE = `#!lua flags=allow-oom
for _, name in ipairs({ '${CALLED.join("', '")}' }) do
  local command = {}
  for word in string.gmatch(name .. ' ' .. KEYS[1], '%S+') do command[#command + 1] = word end
  if not redis.acl_check_cmd(unpack(command)) then
    return redis.error_reply('NOPERM this user may not run ' .. name .. ' on names that begin as ' .. KEYS[1])
  end
end
return 1`;
