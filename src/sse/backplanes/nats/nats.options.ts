import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node';
import { PUBLISH_ID_MEMORY } from '../../log/backplane.js';
import { checkObject, countOf, defined, invalid, oneOf } from '../../validate.js';
import { isObject } from '../../values.js';
import { REMOTE_OPTIONS, remoteSettings, type RemoteOptions } from '../common/remote.options.js';

/** Options of {@link natsBackplane}. */
export interface NatsBackplaneOptions extends RemoteOptions {
  /**
   * How to connect, or a connection that is there. One that is given stays open when the application
   * closes; let it reconnect for ever (`maxReconnectAttempts: -1`), and do not set its `noEcho`.
   *
   * @defaultValue `{ servers: '127.0.0.1:4222' }`
   */
  readonly connection?: NodeConnectionOptions | NatsConnection;
  /** Servers of the cluster that keep the stream, from 1 to 5. @defaultValue 1 */
  readonly replicas?: number;
  /** The place where they keep it. A stream in memory ends with its server. @defaultValue 'file' */
  readonly storage?: 'file' | 'memory';
  /**
   * Milliseconds after which the stream lets go of an event, whatever its channel says: at least
   * 120,000, for which publish ids are remembered. A channel that was idle for longer is empty.
   * @defaultValue 604_800_000, seven days
   */
  readonly maxAge?: number;
  /** Bytes of all events, all channels together; beyond, the oldest go. @defaultValue 1 GiB */
  readonly maxBytes?: number;
  /**
   * Milliseconds without an event after which the position of a channel's newest event is kept apart, where neither
   * `maxAge` nor `maxBytes` let go of it: at least twice the `publishTimeout`. @defaultValue 60_000, or that
   */
  readonly quietAfter?: number;
  /**
   * Milliseconds for which such a position is kept, and for which it is remembered at most that a channel was
   * completed. @defaultValue 2_592_000_000, thirty days
   */
  readonly headAge?: number;
}

export type NatsSettings = Required<NatsBackplaneOptions>;

const DEFAULTS = {
  connection: {},
  replicas: 1,
  storage: 'file',
  maxAge: 7 * 24 * 60 * 60 * 1_000,
  maxBytes: 1024 ** 3,
  quietAfter: 60_000,
  headAge: 30 * 24 * 60 * 60 * 1_000,
} as const;

/** Applies the defaults. @throws SseError `INVALID_OPTIONS` that names the option and what it takes */
export function natsSettings(options: NatsBackplaneOptions = {}): NatsSettings {
  checkObject(options, [...REMOTE_OPTIONS, ...Object.keys(DEFAULTS)], 'natsBackplane()');
  const remote = remoteSettings(options);
  const least = 2 * remote.publishTimeout;
  const defaults = { ...DEFAULTS, quietAfter: Math.max(DEFAULTS.quietAfter, least) };
  const settings: NatsSettings = { ...remote, ...defaults, ...defined(options) };
  const { connection, replicas, storage, maxAge, maxBytes, quietAfter, headAge } = settings;
  if (!isObject(connection)) invalid('connection', connection, 'connection options or a connection');
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 5)
    invalid('replicas', replicas, 'a whole number from 1 to 5');
  oneOf('storage', storage, ['file', 'memory']);
  countOf('maxAge', maxAge, PUBLISH_ID_MEMORY);
  countOf('maxBytes', maxBytes, 1);
  countOf('quietAfter', quietAfter, least);
  countOf('headAge', headAge, PUBLISH_ID_MEMORY);
  return settings;
}
