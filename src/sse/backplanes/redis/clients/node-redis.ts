import type {
  RedisClientOptions,
  RedisClientType,
  RedisClusterOptions,
  RedisSentinelOptions,
  createClient,
} from 'redis';
import {
  connect,
  RefusedByRedis,
  type PackageClient,
  type Receive,
  type RedisSource,
} from './redis-client.js';

/* eslint-disable @typescript-eslint/no-explicit-any -- clients with any modules, scripts and type mappings are accepted */
export type NodeRedis = RedisClientType<any, any, any, any, any>;
type SentinelOptions = RedisSentinelOptions<any, any, any, any, any>;
type ClusterOptions = RedisClusterOptions<any, any, any, any, any>;
type ClientOptions = RedisClientOptions<any, any, any, any, any>;
/* eslint-enable @typescript-eslint/no-explicit-any */

/** Options of `createClient()`, `createSentinel()` or `createCluster()`. */
export type NodeRedisConnection = ClientOptions | SentinelOptions | ClusterOptions;

type Create = typeof createClient;

interface Address {
  readonly host: string;
  readonly port: number;
}

/** The byte with which RESP3 begins a map. As in RESP2, we read one as an array of alternating keys and values. */
const MAP = 37;

/** The Redis that options of the package `redis`, of version 5 or newer, lead to. */
export function ofOptions(create: Create, connection: NodeRedisConnection, prefix: string): RedisSource {
  if ('sentinelRootNodes' in connection) return ofSentinels(create, connection, prefix);
  if ('rootNodes' in connection) return ofCluster(create, connection, prefix);
  return nodeRedis(create(connection) as NodeRedis, prefix);
}

/** The Redis that a client of the package `redis` leads to. */
export function nodeRedis(model: NodeRedis, prefix: string): RedisSource {
  const options = model.options as ClientOptions;
  return source(keyPrefixOf(options) + prefix, options, addressOf(options), async () => model);
}

function ofSentinels(create: Create, options: SentinelOptions, prefix: string): RedisSource {
  const { name, sentinelRootNodes, sentinelClientOptions, nodeClientOptions, nodeAddressMap } = options;
  const primary = (signal: AbortSignal): Promise<NodeRedis> =>
    firstAnswer(sentinelRootNodes, async (node) => {
      const sentinel = clientAt(create, sentinelClientOptions, node);
      const answer = await ask(sentinel, ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name], signal);
      if (!Array.isArray(answer)) throw new Error(`the Sentinels know of no primary "${name}"`);
      const [host, port] = answer as [string, string];
      return clientAt(create, nodeClientOptions, mapped({ host, port: Number(port) }, nodeAddressMap));
    });
  return source(keyPrefixOf(options) + prefix, nodeClientOptions, inWords(sentinelRootNodes), primary);
}

/** All keys of a hub are in one slot of the Cluster, and therefore on one server. Any node knows on which. */
function ofCluster(create: Create, options: ClusterOptions, prefix: string): RedisSource {
  const { rootNodes, defaults, nodeAddressMap } = options;
  const taggedPrefix = `${keyPrefixOf(options)}{${prefix}}`;
  const nodes = rootNodes.map((node) => create({ ...defaults, ...node } as ClientOptions) as NodeRedis);
  const owner = (signal: AbortSignal): Promise<NodeRedis> =>
    firstAnswer(nodes, async (node) => {
      const at = await ask(node, ['TYPE', taggedPrefix], signal).then(
        () => undefined,
        (error: unknown) => movedTo(error, node),
      );
      return at ? clientAt(create, defaults, mapped(at, nodeAddressMap)) : node;
    });
  return source(taggedPrefix, defaults, inWords(nodes.map(({ options }) => socketOf(options))), owner);
}

/** @param find finds a model that leads to the primary */
function source(
  prefix: string,
  options: ClientOptions | undefined,
  address: string,
  find: (signal: AbortSignal) => Promise<NodeRedis>,
): RedisSource {
  const retry = options?.socket?.reconnectStrategy;
  return {
    prefix,
    database: options?.database ?? 0,
    address,
    find: async (signal, receive) => clientOf(await find(signal), receive),
    retryIn: (attempt, cause) => (typeof retry === 'function' ? retry(attempt, cause as Error) : retry),
  };
}

/** A client with the options of its model. It is not connected. What the port forbids is switched off. */
function clientOf(model: NodeRedis, receive: Receive = () => undefined): PackageClient {
  const client = model.duplicate({
    disableOfflineQueue: true,
    // Calls have their own time limits; node-redis would make an AbortSignal for each.
    commandOptions: { timeout: 0, typeMapping: { [MAP]: Array } },
    socket: { ...model.options.socket, reconnectStrategy: false },
  } as ClientOptions) as NodeRedis;
  return {
    address: addressOf(client.options),
    get isReady() {
      return client.isReady;
    },
    lost: new Promise((resolve) => {
      client.on('error', (error: unknown) => {
        if (!client.isReady) resolve(error);
      });
    }),
    connect: () => client.connect(),
    send: (command) => client.sendCommand(command),
    subscribe: (channels) => client.subscribe(channels, receive),
    unsubscribe: (channel) => client.unsubscribe(channel, receive),
    end: () => {
      if (client.isOpen) client.destroy();
    },
  };
}

/** Sends one command on a connection of its own. */
async function ask(model: NodeRedis, command: string[], signal: AbortSignal): Promise<unknown> {
  const client = await connect(clientOf(model), signal);
  try {
    return await client.send(...command);
  } finally {
    client.end();
  }
}

/** Asks one node after the other until one answers. @throws the error of the last one */
async function firstAnswer<Node, Answer>(
  nodes: readonly Node[],
  answer: (node: Node) => Promise<Answer>,
): Promise<Answer> {
  let cause: unknown = new Error('no server is named');
  for (const node of nodes) {
    try {
      return await answer(node);
    } catch (error) {
      cause = error;
    }
  }
  throw cause;
}

function clientAt(create: Create, options: ClientOptions = {}, { host, port }: Address): NodeRedis {
  const { url: _url, ...rest } = options;
  return create({ ...rest, socket: { ...rest.socket, host, port } } as ClientOptions) as NodeRedis;
}

/** The server that a MOVED answer names; undefined if the slot is still here. @throws any other error */
function movedTo(error: unknown, { options }: NodeRedis): Address | undefined {
  const message = error instanceof RefusedByRedis ? error.message : '';
  // The slot is moving to another server, which does not have all of it yet.
  if (message.startsWith('ASK ')) return undefined;
  const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(message) ?? [];
  if (port === undefined) throw error;
  // A server that does not know its own host leaves it out.
  return { host: host || socketOf(options).host, port: Number(port) };
}

function mapped(address: Address, map: SentinelOptions['nodeAddressMap']): Address {
  const name = inWords([address]);
  return (typeof map === 'function' ? map(name) : map?.[name]) ?? address;
}

function socketOf({ socket }: ClientOptions): Address {
  const { host = '127.0.0.1', port = 6379 } = (socket ?? {}) as Partial<Address>;
  return { host, port };
}

function addressOf(options: ClientOptions): string {
  const { socket } = options;
  return socket && 'path' in socket ? String(socket.path) : inWords([socketOf(options)]);
}

const inWords = (addresses: readonly Address[]): string =>
  addresses.map(({ host, port }) => `${host}:${port}`).join(', ');

const keyPrefixOf = (options: object): string =>
  String((options as { readonly keyPrefix?: string | Buffer }).keyPrefix ?? '');
