import { reasonOf, SseError } from '../../../sse.errors.js';
import { ioRedis } from './ioredis.js';
import { nodeRedis, ofOptions, type NodeRedisConnection } from './node-redis.js';
import type { RedisSource } from './redis-client.js';

/**
 * A client of the package `redis` (`createClient()`) or `ioredis` (`new Redis()`, `new Cluster()`). Only one of the
 * packages need be there, so neither is named.
 */
export interface RedisClientModel {
  readonly options: object | undefined;
  duplicate(...overrides: never[]): unknown;
}

/** Makes the source of a Redis, where all names begin with a prefix. @throws SseError `BACKPLANE_FAILED` */
export type FindRedis = (prefix: string) => Promise<RedisSource>;

/** The Redis that a client of the application leads to. @throws SseError `INVALID_OPTIONS` */
export function byClient(client: RedisClientModel): FindRedis {
  const has = (...names: string[]): boolean => names.every((name) => name in Object(client));
  if (has('duplicate', 'isCluster', 'call')) return async (prefix) => ioRedis(client as never, prefix);
  if (has('duplicate', 'sendCommand', 'isReady', 'options'))
    return async (prefix) => nodeRedis(client as never, prefix);
  throw new SseError(
    'INVALID_OPTIONS',
    has('duplicate', 'sendCommand')
      ? 'The option "client" takes no client of createSentinel() or createCluster(). Give the options that it was made with as "connection".'
      : 'The option "client" is no client of redis or ioredis. Give what createClient() or new Redis() returns.',
  );
}

export function byOptions(connection: NodeRedisConnection): FindRedis {
  const failed = (text: string, cause: unknown): never => {
    throw new SseError('BACKPLANE_FAILED', text, { cause });
  };
  return async (prefix) => {
    const { createClient } = await import('redis').catch((cause: unknown) =>
      failed(
        'The package redis is not installed. Run `npm install redis`, or give a client of ioredis as "client".',
        cause,
      ),
    );
    try {
      return ofOptions(createClient, connection, prefix);
    } catch (cause) {
      return failed(
        `The Redis URL cannot be read (${reasonOf(cause)}). Give it as redis://[[user][:password]@]host[:port][/database].`,
        cause,
      );
    }
  };
}
