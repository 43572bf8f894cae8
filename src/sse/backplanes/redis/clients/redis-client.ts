/*
 * - A model (model.ts) is a client of the application, from whose options the connections are made.
 * - A source is one Redis, to which the model or the option `connection` leads; it finds the primary.
 * - A package client is a client of `redis` or `ioredis` that we made, not connected yet.
 * - A Redis client is one connection of ours.
 */

/**
 * One Redis, as the application's `redis` or `ioredis` reaches it: one server, the one that Sentinels call the primary,
 * or one shard of a Cluster. {@link connect} opens a connection to it.
 */
export interface RedisSource {
  /** The beginning of all names. In a Cluster it has a hash tag, so that all keys are in one slot. */
  readonly prefix: string;
  readonly database: number;
  /** The server or servers that are asked first, in words. */
  readonly address: string;
  /** Finds the primary. Answers with a client of it which is not connected yet. */
  find(receive: Receive, signal: AbortSignal): Promise<PackageClient>;
  /** Milliseconds before a connection is opened again, as the application's client has it; anything else: we decide. */
  retryIn(attempt: number, cause: unknown): unknown;
}

/** Is told what comes on a channel of pub/sub that a connection has subscribed to. */
export type Receive = (text: string, channel: string) => void;

/**
 * Port: a client as one of the packages has it, for one connection.
 *
 * The automatic work of the packages (to connect again, keep commands until then, and send those again that had no
 * answer) is switched off, as it would store events twice, or after their publisher was told that they are not.
 */
export interface PackageClient {
  /** Host and port of the server, or the path of its socket. */
  readonly address: string;
  readonly isReady: boolean;
  /** Resolves with the reason when the connection is lost. */
  readonly lost: Promise<unknown>;
  connect(): Promise<unknown>;
  /** The answer is as RESP2 has it, with strings for bytes. */
  send(command: readonly string[]): Promise<unknown>;
  subscribe(channels: string[]): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  /** Gives the connection back at once. */
  end(): void;
}

/**
 * One connection to the primary of a Redis, of whichever package. It ends once, and is never opened again.
 *
 * Each call throws RefusedByRedis when the server has answered and done nothing, NotConnected when nothing was sent.
 * Any other error: it was sent, and there is no answer.
 */
export class RedisClient {
  constructor(private readonly client: PackageClient) {}

  get address(): string {
    return this.client.address;
  }

  get lost(): Promise<unknown> {
    return this.client.lost;
  }

  async send(...command: string[]): Promise<unknown> {
    return this.#ready().send(command).catch(refused);
  }

  /** Resolves when the server has all of them. */
  async subscribe(channels: string[]): Promise<unknown> {
    return this.#ready().subscribe(channels).catch(refused);
  }

  async unsubscribe(channel: string): Promise<unknown> {
    return this.#ready().unsubscribe(channel).catch(refused);
  }

  end(): void {
    this.client.end();
  }

  #ready(): PackageClient {
    if (!this.client.isReady) throw new NotConnected();
    return this.client;
  }
}

/** Opens a connection and makes it ready for use. Nothing is left open when that fails or `signal` aborts. */
export async function connect(
  client: PackageClient,
  signal: AbortSignal,
  prepare?: (client: RedisClient) => Promise<void>,
): Promise<RedisClient> {
  const opened = new RedisClient(client);
  const opening = client
    .connect()
    .catch(refused)
    .then(() => prepare?.(opened));
  await doneOrEnded(opening, () => client.end(), signal);
  return opened;
}

/** Awaits something done on a connection, which is ended when that fails or takes too long. */
export async function doneOrEnded(
  work: Promise<unknown>,
  end: () => void,
  signal: AbortSignal,
): Promise<void> {
  signal.addEventListener('abort', end);
  try {
    await work;
    signal.throwIfAborted();
  } catch (error) {
    end();
    throw error;
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/** Redis has answered with an error, and done nothing. */
export class RefusedByRedis extends Error {}

/** There is no connection: nothing was sent. */
export class NotConnected extends Error {
  constructor() {
    super('there is no connection to Redis');
  }
}

/**
 * Whether an error is an answer of Redis: `ErrorReply` of redis, `ReplyError` of ioredis. They are known by their
 * names, as the application may have another copy of the package than is found from here.
 */
export function isReply(error: unknown): error is Error {
  for (let type: unknown = error; type; type = Object.getPrototypeOf(type))
    if (/^(ErrorReply|ReplyError)$/.test(type.constructor.name)) return true;
  return false;
}

/** Throws an error of a package again; as `RefusedByRedis` if it is an answer of Redis. */
export function refused(error: unknown): never {
  throw isReply(error) ? new RefusedByRedis(error.message, { cause: error }) : error;
}
