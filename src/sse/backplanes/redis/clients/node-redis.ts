import type {
  RedisClientOptions,
  RedisClientType,
  RedisClusterOptions,
  RedisSentinelOptions,
  createClient,
} from 'redis';
import {
  doneOrEnded,
  NotConnected,
  refusedIf,
  type Receive,
  type RedisClient,
  type RedisClients,
} from './redis-client.js';

/* eslint-disable @typescript-eslint/no-explicit-any -- whatever modules, scripts and type mappings one was made with */
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

/** The byte with which RESP3 begins a map: it is read as RESP2 has it, keys and values in turn. */
const MAP = 37;

/** A client of the same options, which is not connected and leaves all the rest to us. */
const duplicateOf = (model: NodeRedis): NodeRedis =>
  model.duplicate({
    disableOfflineQueue: true,
    // Calls have their own time limits; node-redis would make an AbortSignal for each.
    commandOptions: { timeout: 0, typeMapping: { [MAP]: Array } },
    socket: { ...model.options.socket, reconnectStrategy: false },
  } as ClientOptions) as NodeRedis;

/** Connections of the package `redis`, of 5 or newer. */
export class NodeRedisClients implements RedisClients {
  readonly database: number;
  #address: string;

  private constructor(
    readonly prefix: string,
    private readonly options: ClientOptions,
    roots: readonly Address[],
    private readonly find: (signal: AbortSignal) => Promise<NodeRedis>,
  ) {
    this.database = options.database ?? 0;
    this.#address = roots.map(({ host, port }) => `${host}:${port}`).join(', ') || addressOf(options);
  }

  /** Of one server. */
  static of(model: NodeRedis, prefix: string): NodeRedisClients {
    const { options } = model as { options: ClientOptions };
    const whole = `${keyPrefixOf(options)}${prefix}`;
    return new NodeRedisClients(whole, options, [], async () => duplicateOf(model));
  }

  static ofOptions(create: Create, connection: NodeRedisConnection, prefix: string): NodeRedisClients {
    if ('sentinelRootNodes' in connection) return NodeRedisClients.#ofSentinels(create, connection, prefix);
    if ('rootNodes' in connection) return NodeRedisClients.#ofCluster(create, connection, prefix);
    return NodeRedisClients.of(create(connection) as NodeRedis, prefix);
  }

  static #ofSentinels(create: Create, options: SentinelOptions, prefix: string): NodeRedisClients {
    const { name, sentinelRootNodes, sentinelClientOptions, nodeClientOptions, nodeAddressMap } = options;
    const primary = async (signal: AbortSignal): Promise<NodeRedis> => {
      const address = await firstAnswer(sentinelRootNodes, async (node) => {
        const sentinel = clientAt(create, sentinelClientOptions, node);
        const answer = await ask(sentinel, ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name], signal);
        if (!Array.isArray(answer)) throw new Error(`the Sentinels know of no primary "${name}"`);
        const [host, port] = answer as [string, string];
        return { host, port: Number(port) };
      });
      return clientAt(create, nodeClientOptions, mapped(address, nodeAddressMap));
    };
    const whole = `${keyPrefixOf(options)}${prefix}`;
    return new NodeRedisClients(whole, nodeClientOptions ?? {}, sentinelRootNodes, primary);
  }

  /** One hub is in one slot of the Cluster, and so on one server. Any of them says on which. */
  static #ofCluster(create: Create, options: ClusterOptions, prefix: string): NodeRedisClients {
    const { rootNodes, defaults = {}, nodeAddressMap } = options;
    const whole = `${keyPrefixOf(options)}{${prefix}}`;
    const nodes = rootNodes.map((node) => create({ ...defaults, ...node } as ClientOptions) as NodeRedis);
    const owner = (signal: AbortSignal): Promise<NodeRedis> =>
      firstAnswer(nodes, async (node) => {
        const at = await ask(duplicateOf(node), ['TYPE', whole], signal).then(
          () => undefined,
          (error: unknown) => movedTo(error, node),
        );
        return at ? clientAt(create, { ...defaults }, mapped(at, nodeAddressMap)) : duplicateOf(node);
      });
    return new NodeRedisClients(
      whole,
      defaults,
      nodes.map(({ options }) => socketOf(options)),
      owner,
    );
  }

  get address(): string {
    return this.#address;
  }

  async open(receive: Receive, signal: AbortSignal): Promise<RedisClient> {
    const raw = await this.find(signal);
    this.#address = addressOf(raw.options);
    const client = new NodeRedisClient(raw, this.#address, receive);
    await doneOrEnded(raw.connect(), () => client.end(), signal);
    return client;
  }

  retryIn(attempt: number, cause: unknown): number | undefined {
    const given = this.options.socket?.reconnectStrategy;
    const time = typeof given === 'function' ? given(attempt, cause as Error) : given;
    return typeof time === 'number' ? time : undefined;
  }
}

class NodeRedisClient implements RedisClient {
  readonly lost: Promise<unknown>;

  constructor(
    private readonly raw: NodeRedis,
    readonly address: string,
    private readonly receive: Receive,
  ) {
    this.lost = new Promise((resolve) => {
      raw.on('error', (error: unknown) => {
        if (!raw.isReady) resolve(error);
      });
    });
  }

  async send(...command: string[]): Promise<unknown> {
    return this.#checked().sendCommand(command).catch(refused);
  }

  async subscribe(channels: string[]): Promise<unknown> {
    return this.#checked().subscribe(channels, this.receive).catch(refused);
  }

  async unsubscribe(channel: string): Promise<unknown> {
    return this.#checked().unsubscribe(channel, this.receive).catch(refused);
  }

  end(): void {
    end(this.raw);
  }

  #checked(): NodeRedis {
    if (!this.raw.isReady) throw new NotConnected();
    return this.raw;
  }
}

function end(client: NodeRedis): void {
  if (client.isOpen) client.destroy();
}

/** Known by its name, as the client may be of another copy of the package than is found from here. */
function isReply(error: unknown): error is Error {
  for (let type: unknown = error; type; type = Object.getPrototypeOf(type))
    if (type.constructor.name === 'ErrorReply') return true;
  return false;
}

const refused = refusedIf(isReply);

/** Asks one question on a connection of its own. */
async function ask(client: NodeRedis, command: string[], signal: AbortSignal): Promise<unknown> {
  client.on('error', () => undefined);
  await doneOrEnded(client.connect(), () => end(client), signal);
  try {
    return await client.sendCommand(command);
  } finally {
    end(client);
  }
}

/** Asks one node after the other, until one answers. @throws the error of the last one */
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

function clientAt(create: Create, options: ClientOptions | undefined, { host, port }: Address): NodeRedis {
  const { url: _url, ...rest } = options ?? {};
  const socket = { ...rest.socket, host, port } as ClientOptions['socket'];
  return duplicateOf(create({ ...rest, socket } as ClientOptions) as NodeRedis);
}

/** Reads where a server of a Cluster says that a key is; undefined for itself. @throws any other error */
function movedTo(error: unknown, { options }: NodeRedis): Address | undefined {
  const message = error instanceof Error ? error.message : '';
  // The slot is on its way to another, which does not have it yet.
  if (message.startsWith('ASK ')) return undefined;
  const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(message) ?? [];
  if (port === undefined) return refused(error);
  // One that does not know its own host leaves it out.
  return { host: host || socketOf(options).host, port: Number(port) };
}

function mapped(address: Address, map: SentinelOptions['nodeAddressMap']): Address {
  const name = `${address.host}:${address.port}`;
  return (typeof map === 'function' ? map(name) : map?.[name]) ?? address;
}

function socketOf(options: ClientOptions): Address {
  const { host = '127.0.0.1', port = 6379 } = (options.socket ?? {}) as Partial<Address>;
  return { host, port };
}

function addressOf(options: ClientOptions): string {
  const { socket } = options;
  if (socket && 'path' in socket) return String(socket.path);
  const { host, port } = socketOf(options);
  return `${host}:${port}`;
}

const keyPrefixOf = (options: object): string =>
  String((options as { readonly keyPrefix?: string | Buffer }).keyPrefix ?? '');
