import { Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient, ErrorReply } from 'redis';
import { SseError } from '../../sse.errors.js';
import type { RedisSettings } from './redis.options.js';
import { SCRIPTS, type RedisScript } from './redis.scripts.js';
import { ServerClock } from '../remote/server-clock.js';

export type RedisClient = ReturnType<typeof createClient>;

/** The oldest major version whose scripts can do what ours do. */
const LEAST_VERSION = 7;
/** Milliseconds that the start may take. */
const START_TIME = 5_000;
/** Milliseconds between pings, and those of silence after which a connection counts as lost. */
const PING_INTERVAL = 5_000;
const SILENCE = 15_000;
/** Milliseconds after which a server that is loading its data is asked again. */
const LOADING_INTERVAL = 100;
/** Milliseconds between two tries to be led to another server by the same address. */
const LEAVE_INTERVAL = 500;

/** Answers of a server that is not, or not at present, the one to ask: a replica since a failover, or one that starts. */
const WRONG_SERVER = /^(READONLY|MASTERDOWN|LOADING|CLUSTERDOWN)\b/;

/** The server at hand did nothing, as it is the wrong one. The connection to it counts as lost. */
export class WrongServer extends Error {}

/** Who is told when a connection can be used and when it is lost. */
export interface ConnectionEvents {
  /** Commands can be sent. */
  up(): void;
  down(): void;
  /** Notices come again; those since it was lost have not. */
  subscriberUp(): void;
  subscriberDown(): void;
}

/**
 * Two connections to one Redis: one for commands and one for notices. Lost ones are made again for ever,
 * once both have been there; commands are never queued for a connection that is to come.
 */
export class RedisConnection {
  readonly client: RedisClient;
  readonly subscriber: RedisClient;
  readonly clock = new ServerClock();
  /** The database, which notices know nothing of. */
  readonly database: number;
  #hasStarted = false;
  #isClosed = false;
  /** Whether it was said that a connection is lost. */
  #isLost = false;
  #events: ConnectionEvents | undefined;
  #leaving: NodeJS.Timeout | undefined;
  /** When commands could be sent no more, and when notices came again, by `performance.now()`. */
  #lostAt = 0;
  #hearsSince = 0;
  readonly #logger = new Logger('SseHub');

  private constructor(settings: RedisSettings) {
    this.client = this.#clientOf(settings);
    this.subscriber = this.#clientOf(settings);
    this.database = this.client.options.database ?? 0;
  }

  /** @throws SseError `BACKPLANE_FAILED` that says in one line what is wrong with the server or the options */
  static async open(settings: RedisSettings): Promise<RedisConnection> {
    let connection: RedisConnection;
    try {
      connection = new RedisConnection(settings);
    } catch (cause) {
      throw new SseError(
        'BACKPLANE_FAILED',
        `The Redis URL cannot be read (${messageOf(cause)}). Give it as redis://[[user][:password]@]host[:port][/database].`,
        { cause },
      );
    }
    await connection.#start();
    return connection;
  }

  get address(): string {
    const { socket } = this.client.options;
    if (socket && 'path' in socket) return String(socket.path);
    const { host = '127.0.0.1', port = 6379 } = (socket ?? {}) as { host?: string; port?: number };
    return `${host}:${port}`;
  }

  /** Tells of the connections from now on, that they are there first. */
  watch(events: ConnectionEvents): void {
    this.#events = events;
    if (this.client.isReady) events.up();
    if (this.subscriber.isReady) events.subscriberUp();
  }

  /**
   * Runs a script, which Redis knows already but for the first time after its memory of scripts was emptied.
   *
   * @throws WrongServer
   */
  async eval(script: RedisScript, keys: string[], args: string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.client.sendCommand(['EVALSHA', script.sha, ...rest]);
    } catch (error) {
      if (!(error instanceof ErrorReply)) throw error;
      if (error.message.startsWith('NOSCRIPT')) {
        return this.client.sendCommand(['EVAL', script.text, ...rest]);
      }
      if (!WRONG_SERVER.test(error.message)) throw error;
      this.#leave(error);
      throw new WrongServer(error.message, { cause: error });
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#leaving);
    this.client.destroy();
    this.subscriber.destroy();
  }

  #clientOf({ client, connection }: RedisSettings): RedisClient {
    const model = (client ?? createClient(connection)) as RedisClient;
    const { socket, pingInterval = PING_INTERVAL } = model.options;
    const given = socket?.reconnectStrategy;
    const made = model.duplicate({
      disableOfflineQueue: true,
      pingInterval,
      // Calls have their own time limits; node-redis would make an AbortSignal for each.
      commandOptions: { timeout: 0 },
      socket: {
        socketTimeout: SILENCE,
        ...socket,
        reconnectStrategy: (retries: number, cause: Error) => {
          if (!this.#hasStarted) return false;
          if (typeof given === 'function') return given(retries, cause);
          return given ?? Math.min(2 ** retries * 50, 2_000) + Math.random() * 200;
        },
      } as NonNullable<typeof socket>,
    });
    made.on('error', (error: unknown) => this.#lost(made, error));
    made.on('ready', () => {
      if (this.#hasStarted) void this.#regained(made);
    });
    return made;
  }

  async #start(): Promise<void> {
    const abort = new AbortController();
    const started = (async () => {
      await this.client.connect();
      await this.#greet(abort.signal);
      await this.subscriber.connect();
    })();
    const isLate = delay(START_TIME, 'late' as const, { signal: abort.signal, ref: false });
    try {
      const outcome = await Promise.race([started, isLate]);
      if (outcome === 'late') throw new Error(`there was no answer within ${START_TIME} ms`);
      this.#hasStarted = true;
    } catch (cause) {
      this.close();
      throw failure(this.address, cause);
    } finally {
      abort.abort();
      isLate.catch(() => undefined);
      started.catch(() => undefined);
    }
  }

  /** Finds out with whom it speaks, and makes the scripts known: a script that came later would overtake others. */
  async #greet(signal?: AbortSignal): Promise<void> {
    while (!signal?.aborted) {
      try {
        const info = await this.client.sendCommand<string>(['INFO', 'server', 'replication']);
        const version = /^redis_version:(.*?)\r?$/m.exec(info)?.[1] ?? 'unknown';
        if (!(Number.parseInt(version) >= LEAST_VERSION)) throw new UnsupportedVersion(version);
        if (/^role:slave\b/m.test(info)) throw new WrongServer('it is a replica');
        for (const { text } of Object.values(SCRIPTS))
          await this.client.sendCommand(['SCRIPT', 'LOAD', text]);
        const [seconds, micros] = await this.client.sendCommand<[string, string]>(['TIME']);
        this.clock.observe(Number(seconds) * 1_000 + Number(micros) / 1_000);
        return;
      } catch (error) {
        if (!(error instanceof ErrorReply && error.message.startsWith('LOADING'))) throw error;
        await delay(LOADING_INTERVAL);
      }
    }
  }

  /** The server is the wrong one: both connections are made anew until they lead to the right one. */
  #leave(why: unknown): void {
    if (!this.#hasStarted || this.#isClosed || this.#leaving) return;
    this.#sayLost(why);
    this.#events?.down();
    this.#events?.subscriberDown();
    this.#leaving = setTimeout(() => {
      this.#leaving = undefined;
      quit(this.client);
      quit(this.subscriber);
    }, LEAVE_INTERVAL).unref();
  }

  #lost(client: RedisClient, error: unknown): void {
    if (!this.#hasStarted || this.#isClosed || client.isReady) return;
    this.#sayLost(error);
    if (client === this.client) {
      this.#lostAt = performance.now();
      this.#events?.down();
    } else {
      this.#events?.subscriberDown();
    }
  }

  #sayLost(why: unknown): void {
    if (!this.#isLost)
      this.#logger.warn(`The connection to Redis at ${this.address} is lost: ${messageOf(why)}`);
    this.#isLost = true;
  }

  async #regained(client: RedisClient): Promise<void> {
    try {
      if (client === this.client) await this.#greet();
      else this.#hearsSince = performance.now();
      if (this.#isLost && this.client.isReady && this.subscriber.isReady) {
        this.#isLost = false;
        this.#logger.log(`Redis at ${this.address} is there again.`);
      }
      if (client === this.client) this.#speaks();
      else this.#events?.subscriberUp();
    } catch (error) {
      if (error instanceof WrongServer) return this.#leave(error);
      // Of a connection that was lost again another 'ready' will follow.
      if (client.isReady) this.#logger.error(failure(this.address, error).message);
    }
  }

  /** Commands can be sent again, to another server perhaps: then the notices of the one before say nothing more. */
  #speaks(): void {
    clearTimeout(this.#leaving);
    this.#leaving = undefined;
    if (this.#hearsSince < this.#lostAt && this.subscriber.isReady) {
      this.#events?.subscriberDown();
      quit(this.subscriber);
    }
    this.#events?.up();
  }
}

/** Has the server end a connection: node-redis makes those anew that end by themselves. */
function quit(client: RedisClient): void {
  if (client.isReady) client.sendCommand(['QUIT']).catch(() => undefined);
}

class UnsupportedVersion extends Error {}

const messageOf = (error: unknown): string => {
  // An AggregateError of Node has no message, but what it is made of has.
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  return first instanceof Error ? first.message : String(first);
};

function failure(address: string, cause: unknown): SseError {
  const message = messageOf(cause);
  let text = `Redis at ${address} cannot be reached: ${message}. Start it there, or correct the URL.`;
  if (cause instanceof UnsupportedVersion)
    text = `Redis at ${address} has version ${message}, and at least ${LEAST_VERSION}.0 is needed. Upgrade it.`;
  else if (/^(WRONGPASS|NOAUTH)|AUTH/.test(message))
    text = `Redis at ${address} does not accept the password: ${message} Correct it in the URL or the connection options.`;
  else if (cause instanceof WrongServer)
    text = `Redis at ${address} is a replica, on which nothing can be published. Give the address of the primary.`;
  else if (cause instanceof ErrorReply)
    text = `Redis at ${address} refuses to be used: ${message}. Give the user the right to do that.`;
  return new SseError('BACKPLANE_FAILED', text, { cause });
}
