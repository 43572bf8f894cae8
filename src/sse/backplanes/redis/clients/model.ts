import type * as NodeRedisPackage from 'redis';
import { reasonOf, SseError } from '../../../sse.errors.js';
import { IoRedisClients, type IoRedis, type IoRedisCluster } from './ioredis.js';
import { NodeRedisClients, type NodeRedis, type NodeRedisConnection } from './node-redis.js';
import type { RedisClients } from './redis-client.js';

/**
 * A client of the package `redis` (`createClient()`) or `ioredis` (`new Redis()`, `new Cluster()`). Only one of the
 * packages need be there, so neither is named.
 */
export interface RedisClientModel {
  readonly options: object | undefined;
  duplicate(...overrides: never[]): unknown;
}

/** What connections are made of. */
export type Model =
  | { readonly kind: 'options'; readonly connection: NodeRedisConnection }
  | { readonly kind: 'redis'; readonly client: NodeRedis }
  | { readonly kind: 'ioredis'; readonly client: IoRedis | IoRedisCluster };

/** Tells whose client it is. @throws SseError `INVALID_OPTIONS` */
export function modelOf(client: RedisClientModel): Model {
  const has = (...names: string[]): boolean => names.every((name) => name in Object(client));
  if (has('duplicate', 'isCluster', 'call')) return { kind: 'ioredis', client: client as unknown as IoRedis };
  if (has('duplicate', 'sendCommand', 'isReady', 'options'))
    return { kind: 'redis', client: client as unknown as NodeRedis };
  const isOther = has('duplicate', 'sendCommand');
  throw new SseError(
    'INVALID_OPTIONS',
    isOther
      ? 'The option "client" takes no client of createSentinel() or createCluster(). Give what that was made with as "connection".'
      : 'The option "client" is no client of redis or ioredis. Give what createClient() or new Redis() returns.',
  );
}

/** @throws SseError `BACKPLANE_FAILED` */
export async function clientsOf(model: Model, prefix: string): Promise<RedisClients> {
  if (model.kind === 'ioredis') return IoRedisClients.of(model.client, prefix);
  if (model.kind === 'redis') return NodeRedisClients.of(model.client, prefix);
  const { createClient } = await nodeRedis();
  try {
    return NodeRedisClients.ofOptions(createClient, model.connection, prefix);
  } catch (cause) {
    throw new SseError(
      'BACKPLANE_FAILED',
      `The Redis URL cannot be read (${reasonOf(cause)}). Give it as redis://[[user][:password]@]host[:port][/database].`,
      { cause },
    );
  }
}

async function nodeRedis(): Promise<typeof NodeRedisPackage> {
  try {
    return await import('redis');
  } catch (cause) {
    throw new SseError(
      'BACKPLANE_FAILED',
      'The package redis is not installed. Run `npm install redis`, or give a client of ioredis as "client".',
      { cause },
    );
  }
}
