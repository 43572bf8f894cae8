import { SseError } from '../../sse.errors.js';
import { checkObject } from '../../validate.js';
import { REMOTE_OPTIONS, remoteSettings, type RemoteOptions } from '../common/remote.options.js';
import { byClient, byOptions, type FindRedis, type RedisClientModel } from './clients/model.js';
import type { NodeRedisConnection } from './clients/node-redis.js';

/** Options of `redisBackplane()`. */
export interface RedisBackplaneOptions extends RemoteOptions {
  /**
   * How to connect, by the package `redis`: the options of its `createClient()`; of `createSentinel()` for a primary
   * that Sentinels watch; of `createCluster()` for a Cluster. @defaultValue `{ url: 'redis://127.0.0.1:6379' }`
   */
  readonly connection?: NodeRedisConnection;
  /**
   * In place of `connection`, a client that the application has: of `createClient()` of the package `redis`, or `Redis`
   * or `Cluster` of `ioredis`. Two connections are made with its options. The client itself is not used: it need not be
   * connected, and is not closed.
   */
  readonly client?: RedisClientModel;
}

export interface RedisSettings extends Required<RemoteOptions> {
  readonly find: FindRedis;
}

/** @throws SseError `INVALID_OPTIONS` */
export function redisSettings(options: RedisBackplaneOptions): RedisSettings {
  checkObject(options, ['connection', 'client', ...REMOTE_OPTIONS], 'redisBackplane()');
  const { connection, client } = options;
  if (connection && client) {
    throw new SseError('INVALID_OPTIONS', 'redisBackplane() takes "connection" or "client", not both.');
  }
  const find = client ? byClient(client) : byOptions(connection ?? { url: 'redis://127.0.0.1:6379' });
  return { ...remoteSettings(options), find };
}
