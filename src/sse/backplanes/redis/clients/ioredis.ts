import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { doneOrEnded, isReply, type PackageClient, type Receive, type RedisSource } from './redis-client.js';

/** The options in which our client differs from its model, in ioredis 5 and 6. */
const OURS = {
  lazyConnect: true,
  // Switched off, as the port forbids it.
  retryStrategy: null,
  sentinelRetryStrategy: () => null,
  reconnectOnError: null,
  enableOfflineQueue: false,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: null,
  // The check sends INFO, to which a user may lack the right.
  enableReadyCheck: false,
  readOnly: false,
  monitor: false,
  disconnectTimeout: 0,
  commandTimeout: undefined,
  enableAutoPipelining: false,
  // Answers as in RESP2.
  stringNumbers: false,
  replyMapping: 'legacy',
  // Our prefix begins with it, as ioredis does not put it before the names of pub/sub channels.
  keyPrefix: '',
} satisfies RedisOptions;

/** The Redis that a client of the package `ioredis` leads to. */
export function ioRedis(model: Redis | Cluster, prefix: string): RedisSource {
  return isCluster(model) ? ofCluster(model, prefix) : ofClient(model, prefix);
}

function ofClient(model: Redis, prefix: string): RedisSource {
  const { db = 0, path, sentinels, keyPrefix = '', retryStrategy } = model.options;
  const address = sentinels?.map(hostAndPort).join(', ') ?? path ?? hostAndPort(model.options);
  return {
    prefix: `${keyPrefix}${prefix}`,
    database: db,
    address,
    find: async (_signal, receive) => clientOf(model, address, receive),
    retryIn: (attempt) => retryStrategy?.(attempt + 1),
  };
}

/** All keys of a hub are in one slot of the Cluster, and therefore on one server. */
function ofCluster(model: Cluster, prefix: string): RedisSource {
  const { keyPrefix, redisOptions = {}, clusterRetryStrategy } = model.options;
  const taggedPrefix = `${keyPrefix ?? redisOptions.keyPrefix ?? ''}{${prefix}}`;
  const address = 'the Cluster';
  return {
    prefix: taggedPrefix,
    database: redisOptions.db ?? 0,
    address,
    find: async (signal, receive) => clientOf(await ownerOf(taggedPrefix, model, signal), address, receive),
    retryIn: (attempt) => clusterRetryStrategy?.(attempt + 1),
  };
}

/** @param address stands for the client until it is connected */
function clientOf(model: Redis, address: string, receive?: Receive): PackageClient {
  const client = model.duplicate(OURS);
  let reason: unknown = new Error('the connection was closed');
  client.on('error', (error: unknown) => (reason = error));
  if (receive) client.on('message', (channel: string, text: string) => receive(text, channel));
  client.on('connect', () => {
    const { remoteAddress, remotePort } = client.stream;
    address = client.options.path ?? `${remoteAddress}:${remotePort}`;
  });
  return {
    get address() {
      return address;
    },
    // The status stays "ready" until the socket is closed, and nothing can be written in its last moments.
    get isReady() {
      return client.status === 'ready' && client.stream.writable;
    },
    lost: new Promise((resolve) => client.on('end', () => resolve(reason))),
    // The event 'error' has the reason. The rejection only says that the connection is closed.
    connect: () =>
      client.connect().catch((error: unknown) => {
        throw isReply(reason) || 'code' in Object(reason) ? reason : error;
      }),
    send: ([name = '', ...args]) => client.call(name, ...args),
    subscribe: (channels) => client.subscribe(...channels),
    unsubscribe: (channel) => client.unsubscribe(channel),
    end: () => client.disconnect(),
  };
}

/** A client of the server of a Cluster that has a key. */
async function ownerOf(key: string, model: Cluster, signal: AbortSignal): Promise<Redis> {
  const cluster = model.duplicate([], {
    lazyConnect: true,
    clusterRetryStrategy: null,
    enableReadyCheck: false,
  });
  let cause: unknown;
  cluster.on('node error', (error: unknown) => (cause = error));
  cluster.on('error', () => undefined);
  const end = (): void => cluster.disconnect();
  await doneOrEnded(cluster.connect(), end, signal).catch((error: unknown) => {
    throw cause ?? error;
  });
  try {
    const slot = Number(await cluster.call('CLUSTER', 'KEYSLOT', key));
    const owner = cluster.nodes().find(({ options }) => hostAndPort(options) === cluster.slots[slot]?.[0]);
    if (!owner) throw new Error('no server of the Cluster has the slot');
    return owner;
  } finally {
    end();
  }
}

const isCluster = (model: Redis | Cluster): model is Cluster => model.isCluster;

const hostAndPort = ({ host = 'localhost', port = 6379 }: RedisOptions): string => `${host}:${port}`;
