import {
  doneOrEnded,
  NotConnected,
  refusedIf,
  type Receive,
  type RedisClient,
  type RedisClients,
} from './redis-client.js';

/* What is used of the package `ioredis`, of which 5 and 6 are alike in this. */

interface Options {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly db?: number;
  readonly keyPrefix?: string;
  readonly sentinels?: readonly { readonly host?: string; readonly port?: number }[] | null;
  readonly retryStrategy?: ((attempt: number) => unknown) | null;
}

export interface IoRedis {
  readonly isCluster: false;
  readonly options: Options;
  readonly status: string;
  readonly stream?: {
    readonly writable: boolean;
    readonly remoteAddress?: string;
    readonly remotePort?: number;
  };
  duplicate(options: object): IoRedis;
  connect(): Promise<unknown>;
  disconnect(): void;
  call(command: string, ...args: string[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  on(event: string, listener: (...args: never[]) => void): unknown;
}

export interface IoRedisCluster {
  readonly isCluster: true;
  readonly options: {
    readonly keyPrefix?: string;
    readonly redisOptions?: Options;
    readonly clusterRetryStrategy?: ((attempt: number) => unknown) | null;
  };
  /** By slot: host and port of its primary, and of its replicas. */
  readonly slots: readonly (readonly string[])[];
  duplicate(nodes: readonly never[], options: object): IoRedisCluster;
  connect(): Promise<unknown>;
  disconnect(): void;
  nodes(): readonly IoRedis[];
  call(command: string, ...args: string[]): Promise<unknown>;
  on(event: string, listener: (...args: never[]) => void): unknown;
}

/** What a connection of ours has in place of the options of its model. */
const OURS = {
  lazyConnect: true,
  // All that comes after a loss is ours.
  retryStrategy: null,
  sentinelRetryStrategy: null,
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
  // The prefix of our own names has it already: names of notices need it, too.
  keyPrefix: '',
};

/** Connections of the package `ioredis`. */
export class IoRedisClients implements RedisClients {
  readonly database: number;
  #address: string;

  private constructor(
    readonly prefix: string,
    { db = 0 }: Options,
    address: string,
    private readonly find: (signal: AbortSignal) => Promise<IoRedis>,
    private readonly retry: ((attempt: number) => unknown) | null | undefined,
  ) {
    this.database = db;
    this.#address = address;
  }

  static of(model: IoRedis | IoRedisCluster, prefix: string): IoRedisClients {
    return model.isCluster
      ? IoRedisClients.#ofCluster(model, prefix)
      : IoRedisClients.#ofClient(model, prefix);
  }

  static #ofClient(model: IoRedis, prefix: string): IoRedisClients {
    const { options } = model;
    const whole = `${options.keyPrefix ?? ''}${prefix}`;
    const address = options.sentinels?.map(hostAndPort).join(', ') ?? options.path ?? hostAndPort(options);
    return new IoRedisClients(
      whole,
      options,
      address,
      async () => model.duplicate(OURS),
      options.retryStrategy,
    );
  }

  /** One hub is in one slot of the Cluster, and so on one server. */
  static #ofCluster(model: IoRedisCluster, prefix: string): IoRedisClients {
    const { keyPrefix, redisOptions = {}, clusterRetryStrategy } = model.options;
    const whole = `${keyPrefix ?? redisOptions.keyPrefix ?? ''}{${prefix}}`;
    const owner = (signal: AbortSignal): Promise<IoRedis> => ownerOf(whole, model, signal);
    return new IoRedisClients(whole, redisOptions, 'the Cluster', owner, clusterRetryStrategy);
  }

  get address(): string {
    return this.#address;
  }

  async open(receive: Receive, signal: AbortSignal): Promise<RedisClient> {
    const client = new IoRedisClient(await this.find(signal), receive);
    await client.connect(signal);
    this.#address = client.address;
    return client;
  }

  retryIn(attempt: number): number | undefined {
    const time = this.retry?.(attempt + 1);
    return typeof time === 'number' ? time : undefined;
  }
}

class IoRedisClient implements RedisClient {
  address = '';
  readonly lost: Promise<unknown>;
  /** What was last said to be wrong. */
  #error: unknown = new Error('the connection was closed');

  constructor(
    private readonly raw: IoRedis,
    receive: Receive,
  ) {
    raw.on('error', (error: unknown) => {
      this.#error = error;
    });
    raw.on('message', (channel: string, text: string) => receive(text, channel));
    this.lost = new Promise((resolve) => {
      raw.on('end', () => resolve(this.#error));
    });
  }

  async connect(signal: AbortSignal): Promise<void> {
    // The event of the error has said more than this rejection does.
    const connecting = this.raw.connect().catch((error: unknown) => {
      throw isReply(this.#error) || 'code' in Object(this.#error) ? this.#error : error;
    });
    await doneOrEnded(connecting, () => this.end(), signal);
    const { path } = this.raw.options;
    const { remoteAddress: host, remotePort: port } = this.raw.stream ?? {};
    this.address = path ?? `${host}:${port}`;
  }

  async send(command: string, ...args: string[]): Promise<unknown> {
    return this.#checked()
      .call(command, ...args)
      .catch(refused);
  }

  async subscribe(channels: string[]): Promise<unknown> {
    return this.#checked()
      .subscribe(...channels)
      .catch(refused);
  }

  async unsubscribe(channel: string): Promise<unknown> {
    return this.#checked().unsubscribe(channel).catch(refused);
  }

  end(): void {
    this.raw.disconnect();
  }

  #checked(): IoRedis {
    // The status stays "ready" until the socket says that it is closed; nothing is written in between.
    if (this.raw.status !== 'ready' || !this.raw.stream?.writable) throw new NotConnected();
    return this.raw;
  }
}

/** Known by its name, as the class is of a package that the application has. */
const isReply = (error: unknown): error is Error => error instanceof Error && error.name === 'ReplyError';

const refused = refusedIf(isReply);

/** A client, not yet connected, of the server of a Cluster that has a key. */
async function ownerOf(key: string, model: IoRedisCluster, signal: AbortSignal): Promise<IoRedis> {
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
    return owner.duplicate(OURS);
  } finally {
    end();
  }
}

const hostAndPort = ({ host = 'localhost', port = 6379 }: Options): string => `${host}:${port}`;
