import type { BackplaneFactory } from '../backplane-factory.js';
import { openRemote } from '../common/remote.backplane.js';
import { RedisClusterLink } from './redis-cluster.link.js';
import { RedisConnection } from './redis.connection.js';
import { RedisLogs } from './redis.logs.js';
import { redisSettings, type RedisBackplaneOptions } from './redis.options.js';

export type { NodeRedisConnection } from './clients/node-redis.js';
export type { RedisBackplaneOptions, RedisClientModel } from './redis.options.js';

/**
 * Keeps the logs in Redis 7 or later, for several instances.
 *
 * ```ts
 * SseModule.forRoot({ backplane: redisBackplane({ connection: { url: process.env.REDIS_URL } }) });
 * ```
 *
 * @throws SseError `INVALID_OPTIONS` at once; `BACKPLANE_FAILED` at the start of the application, when
 * Redis cannot be reached, does not accept the password, or is too old
 */
export function redisBackplane(options: RedisBackplaneOptions = {}): BackplaneFactory {
  const settings = redisSettings(options);
  return async (limits) => {
    const connection = await RedisConnection.open(settings);
    const logs = await RedisLogs.open(connection);
    return openRemote(logs, new RedisClusterLink(connection), settings, limits);
  };
}
