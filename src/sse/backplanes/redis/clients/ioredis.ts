import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { doneOrEnded, isReply, type PackageClient, type Receive, type RedisSource } from './redis-client.js';

/** The options in which a connection of ours differs from its model; those of ioredis 5 and 6 are alike in this. */
const OURS = {
  lazyConnect: true,
  // All that comes after a loss is ours.
  retryStrategy: null,
  sentinelRetryStrategy: () => null,
  reconnectOnError: null,
  enableOfflineQueue: false,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: null,
  // The check asks with INFO, which a user may lack the right to.
  enableReadyCheck: false,
  readOnly: false,
  monitor: false,
  disconnectTimeout: 0,
  commandTimeout: undefined,
  enableAutoPipelining: false,
  // Answers as RESP2 has them.
  stringNumbers: false,
  replyMapping: 'legacy',
  // Our prefix has it already: ioredis would not put it before the names of pub/sub channels.
  keyPrefix: '',
} satisfies RedisOptions;

/** The connections of a client of the package `ioredis`. */
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
    find: async (receive) => clientOf(model, receive, address),
    retryIn: (attempt) => retryStrategy?.(attempt + 1),
  };
}

/** All keys of a hub are in one slot of the Cluster, hence on one server. */
function ofCluster(model: Cluster, prefix: string): RedisSource {
  const { keyPrefix, redisOptions = {}, clusterRetryStrategy } = model.options;
  const taggedPrefix = `${keyPrefix ?? redisOptions.keyPrefix ?? ''}{${prefix}}`;
  const address = 'the Cluster';
  return {
    prefix: taggedPrefix,
    database: redisOptions.db ?? 0,
    address,
    find: async (receive, signal) => clientOf(await ownerOf(taggedPrefix, model, signal), receive, address),
    retryIn: (attempt) => clusterRetryStrategy?.(attempt + 1),
  };
}

/** @param address the one that is known before it is connected */
function clientOf(model: Redis, receive: Receive, address: string): PackageClient {
  const client = model.duplicate(OURS);
  let said: unknown = new Error('the connection was closed');
  client.on('error', (error: unknown) => (said = error));
  client.on('message', (channel: string, text: string) => receive(text, channel));
  client.on('connect', () => {
    const { remoteAddress, remotePort } = client.stream;
    address = client.options.path ?? `${remoteAddress}:${remotePort}`;
  });
  return {
    get address() {
      return address;
    },
    // The status stays "ready" until the socket says that it is closed; nothing is written in between.
    get isReady() {
      return client.status === 'ready' && client.stream.writable;
    },
    lost: new Promise((resolve) => client.on('end', () => resolve(said))),
    // The event of the error has said more than this rejection does.
    connect: () =>
      client.connect().catch((error: unknown) => {
        throw isReply(said) || 'code' in Object(said) ? said : error;
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
