import type { RedisClientOptions, RedisClientType } from 'redis';
import { SseError } from '../../sse.errors.js';
import { checkObject } from '../../validate.js';
import { REMOTE_OPTIONS, remoteSettings, type RemoteOptions } from '../remote/remote.options.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever modules, scripts and type mappings it was made with
type AnyRedisClient = RedisClientType<any, any, any, any, any>;

/** Options of `redisBackplane()`. */
export interface RedisBackplaneOptions extends RemoteOptions {
  /** How to connect: the options of node-redis' `createClient()`. @defaultValue `{ url: 'redis://127.0.0.1:6379' }` */
  readonly connection?: RedisClientOptions;
  /**
   * In place of `connection`, a client of node-redis. It is the model of the two connections that are made,
   * and left alone otherwise: it need not be connected, and is not closed.
   */
  readonly client?: AnyRedisClient;
}

export interface RedisSettings extends Required<RemoteOptions> {
  readonly connection: RedisClientOptions;
  readonly client: AnyRedisClient | undefined;
}

/** @throws SseError `INVALID_OPTIONS` */
export function redisSettings(options: RedisBackplaneOptions): RedisSettings {
  checkObject(options, ['connection', 'client', ...REMOTE_OPTIONS], 'redisBackplane()');
  const { connection, client } = options;
  if (connection && client) {
    throw new SseError('INVALID_OPTIONS', 'redisBackplane() takes "connection" or "client", not both.');
  }
  return {
    ...remoteSettings(options),
    connection: connection ?? { url: 'redis://127.0.0.1:6379' },
    client,
  };
}
