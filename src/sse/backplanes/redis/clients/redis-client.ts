/*
 * - A model is a client of the application. Its options are those of our connections.
 * - A source is one Redis, given by a model or the option `connection`. It finds the primary.
 * - A package client is a client of `redis` or `ioredis` that a source has made.
 * - A Redis client is one connection of ours, by a package client.
 */

/** One Redis: a server, the primary of some Sentinels, or one shard of a Cluster. */
export interface RedisSource {
  /** The beginning of all names. In a Cluster it is a hash tag, so that all keys are in one slot. */
  readonly prefix: string;
  readonly database: number;
  /** The server or servers that are tried first, for messages. */
  readonly address: string;
  /** Finds the primary. Resolves with a client of it that is not connected yet. */
  find(signal: AbortSignal, receive?: Receive): Promise<PackageClient>;
  /** Milliseconds before the next attempt, by the application's retry strategy. If it is no number, ours counts. */
  retryIn(attempt: number, cause: unknown): unknown;
}

/** Receives a message of pub/sub, on a channel that a connection has subscribed to. */
export type Receive = (text: string, channel: string) => void;

/**
 * Port: a client of one of the packages, for one connection.
 *
 * It must not connect again by itself, nor keep commands until then or repeat those without an answer: that would store
 * events twice, or after their publisher was told that they are not stored.
 */
export interface PackageClient {
  /** Host and port of the server, or the path of its socket. */
  readonly address: string;
  readonly isReady: boolean;
  /** Resolves with the reason when the connection is lost. */
  readonly lost: Promise<unknown>;
  connect(): Promise<unknown>;
  /** Answers as RESP2 does, with strings for bytes. */
  send(command: readonly string[]): Promise<unknown>;
  subscribe(channels: string[]): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  /** Gives the connection back at once. */
  end(): void;
}

/**
 * One connection to the primary of a Redis. It ends once, and is never opened again.
 *
 * Each call throws `RefusedByRedis` when the server has answered and done nothing, `NotConnected` when nothing was sent,
 * and any other error when it was sent and there is no answer.
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

/** Opens a connection and prepares it. Leaves nothing open when that fails or `signal` aborts. */
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

/** Awaits work on a connection. Ends the connection when the work fails or `signal` aborts. */
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
 * Whether an error is an answer of Redis: `ErrorReply` of redis, `ReplyError` of ioredis. Recognised by their names, as
 * the application may have another copy of the package than we would import.
 */
export function isReply(error: unknown): error is Error {
  for (let type: unknown = error; type; type = Object.getPrototypeOf(type))
    if (/^(ErrorReply|ReplyError)$/.test(type.constructor.name)) return true;
  return false;
}

/** Throws an error of a package on; if it is an answer of Redis, as `RefusedByRedis`. */
export function refused(error: unknown): never {
  throw isReply(error) ? new RefusedByRedis(error.message, { cause: error }) : error;
}
