import { reasonOf, SseError } from '../../sse.errors.js';
import { checkObject } from '../../validate.js';
import { REMOTE_OPTIONS, remoteSettings, type RemoteOptions } from '../common/remote.options.js';
import { ioRedis } from './clients/ioredis.js';
import { nodeRedis, ofOptions, type NodeRedisConnection } from './clients/node-redis.js';
import type { RedisSource } from './clients/redis-client.js';

/**
 * A client of the package `redis` (`createClient()`) or `ioredis` (`new Redis()`, `new Cluster()`). The type imports
 * neither, as only one of the packages need be installed.
 */
export interface RedisClientModel {
  readonly options: object | undefined;
  duplicate(...overrides: never[]): unknown;
}

/** Options of `redisBackplane()`. */
export interface RedisBackplaneOptions extends RemoteOptions {
  /**
   * How to connect, with the package `redis`: the options of its `createClient()`, for a primary with Sentinels those of
   * `createSentinel()`, for a Cluster those of `createCluster()`. @defaultValue `{ url: 'redis://127.0.0.1:6379' }`
   */
  readonly connection?: NodeRedisConnection;
  /**
   * In place of `connection`, a client that the application has: from `createClient()` of the package `redis`, or a
   * `Redis` or `Cluster` of `ioredis`. The backplane makes two connections with its options. The client itself is not
   * used: it need not be connected, and is not closed.
   */
  readonly client?: RedisClientModel;
}

export interface RedisSettings extends Required<RemoteOptions> {
  /** Reads the options of the connection. @throws SseError `BACKPLANE_FAILED` */
  readonly find: () => Promise<RedisSource>;
}

/** @throws SseError `INVALID_OPTIONS` */
export function redisSettings(options: RedisBackplaneOptions): RedisSettings {
  checkObject(options, ['connection', 'client', ...REMOTE_OPTIONS], 'redisBackplane()');
  const { connection, client } = options;
  if (connection && client) {
    throw new SseError('INVALID_OPTIONS', 'redisBackplane() takes "connection" or "client", not both.');
  }
  const settings = remoteSettings(options);
  const { prefix } = settings;
  const find = client
    ? byClient(client, prefix)
    : () => byConnection(connection ?? { url: 'redis://127.0.0.1:6379' }, prefix);
  return { ...settings, find };
}

/** Tells by its members which package a client is of. @throws SseError `INVALID_OPTIONS` */
function byClient(client: RedisClientModel, prefix: string): RedisSettings['find'] {
  const has = (...names: string[]): boolean => names.every((name) => name in Object(client));
  if (has('duplicate', 'isCluster', 'call')) return async () => ioRedis(client as never, prefix);
  if (has('duplicate', 'sendCommand', 'isReady', 'options'))
    return async () => nodeRedis(client as never, prefix);
  throw new SseError(
    'INVALID_OPTIONS',
    has('duplicate', 'sendCommand')
      ? 'The option "client" takes no client of createSentinel() or createCluster(). Give the options that it was made with as "connection".'
      : 'The option "client" is no client of redis or ioredis. Give what createClient() or new Redis() returns.',
  );
}

async function byConnection(connection: NodeRedisConnection, prefix: string): Promise<RedisSource> {
  const { createClient } = await import('redis').catch((cause: unknown) => {
    const text =
      'The package redis is not installed. Run `npm install redis`, or give a client of ioredis as "client".';
    throw new SseError('BACKPLANE_FAILED', text, { cause });
  });
  try {
    return ofOptions(createClient, connection, prefix);
  } catch (cause) {
    const text = `The Redis URL cannot be read (${reasonOf(cause)}). Give it as redis://[[user][:password]@]host[:port][/database].`;
    throw new SseError('BACKPLANE_FAILED', text, { cause });
  }
}
