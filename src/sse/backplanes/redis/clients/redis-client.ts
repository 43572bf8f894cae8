/**
 * One connection to the primary of a Redis, of whichever package. It ends once: who wants it back opens another.
 *
 * What the packages do for themselves (connect again, keep commands until then, send those again that had no answer)
 * is switched off, as it would store events twice, or after their publisher was told that they are not.
 */
export interface RedisClient {
  /** Host and port of the server, or the path of its socket. */
  readonly address: string;

  /** Resolves with the reason when the connection is lost. */
  readonly lost: Promise<unknown>;

  /**
   * Sends a command. The answer is as RESP2 has it, with strings for bytes.
   *
   * @throws RefusedByRedis the server has done nothing. NotConnected: it was not sent. Any other error: it was sent, and
   * there is no answer
   */
  send(...command: string[]): Promise<unknown>;

  /** Resolves when the server has all of them. @throws as `send()` */
  subscribe(channels: string[]): Promise<unknown>;

  /** @throws as `send()` */
  unsubscribe(channel: string): Promise<unknown>;

  /** Gives the connection back at once. */
  end(): void;
}

/** Is told what comes on a channel that a connection has subscribed to. */
export type Receive = (text: string, channel: string) => void;

/** Opens connections to one Redis: to one server, to the one that Sentinels call the primary, or to one shard of a Cluster. */
export interface RedisClients {
  /** What all names begin with. In a Cluster it has a hash tag, so that all keys are in one slot. */
  readonly prefix: string;
  readonly database: number;

  /** Where the next connection is looked for, in words. */
  readonly address: string;

  /** Finds the primary and connects to it. Nothing is left open when it rejects or `signal` aborts. */
  open(receive: Receive, signal: AbortSignal): Promise<RedisClient>;

  /** Milliseconds before a connection is opened again, if the application's own client says so. */
  retryIn(attempt: number, cause: unknown): number | undefined;
}

/** Redis has answered with an error, and done nothing. */
export class RefusedByRedis extends Error {}

/** Throws an error of a package again: as `RefusedByRedis` where the package says that it is an answer of Redis. */
export const refusedIf =
  (isReply: (error: unknown) => error is Error) =>
  (error: unknown): never => {
    throw isReply(error) ? new RefusedByRedis(error.message, { cause: error }) : error;
  };

/** There is no connection: nothing was sent. */
export class NotConnected extends Error {
  constructor() {
    super('there is no connection to Redis');
  }
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
