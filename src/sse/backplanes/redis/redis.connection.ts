import { Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { reasonOf, SseError } from '../../sse.errors.js';
import { ServerClock } from '../common/server-clock.js';
import { clientsOf } from './clients/model.js';
import {
  doneOrEnded,
  NotConnected,
  RefusedByRedis,
  type Hear,
  type RedisClient,
  type RedisClients,
} from './clients/redis-client.js';
import type { RedisSettings } from './redis.options.js';
import { PROBE } from './redis.probe.js';
import { SCRIPTS, type RedisScript } from './redis.scripts.js';

/** The oldest major version whose scripts can do what ours do. */
const LEAST_VERSION = 7;
/** Milliseconds that the start may take, and later a try to connect. */
const CONNECT_TIME = 5_000;
/** Milliseconds between pings, and how many may be without an answer before the connection counts as lost. */
const PING_INTERVAL = 5_000;
const MOST_UNANSWERED = 2;
/** Milliseconds after which a server that cannot be used yet is asked again. */
const PATIENCE_INTERVAL = 100;
/** Milliseconds between two tries to be led to another server by the same address. */
const LEAVE_INTERVAL = 500;
/** Channels that one command subscribes to. */
const CHANNELS = 1_000;

/**
 * Answers of a server that is not, or not at present, the one to ask: a replica since a failover, one that starts, or
 * one of a Cluster that has the keys no more, or not all of them yet.
 */
const WRONG_SERVER = /^(READONLY|MASTERDOWN|LOADING|NOREPLICAS|CLUSTERDOWN|MOVED|ASK|TRYAGAIN)\b/;

/** The server at hand did nothing, as it is the wrong one. The connection to it counts as lost. */
export class WrongServer extends Error {}

/** Who is told when a connection can be used and when it is lost. */
export interface ConnectionEvents {
  /** Commands can be sent. */
  up(): void;
  down(): void;
  /** Notices come again; those since they were lost have not. */
  noticesUp(): void;
  noticesDown(): void;
}

/**
 * Two connections to one Redis: one for commands and one for notices. Lost ones are made again for ever, once both
 * have been there. Commands are never queued for a connection that is to come.
 *
 * Notices are heard from the server that takes the commands: when that connection is lost, both are made anew.
 */
export class RedisConnection {
  readonly clock = new ServerClock();
  /** Those on duty. A connection for commands has been greeted, one for notices has all subscriptions. */
  #commands: RedisClient | undefined;
  #notices: RedisClient | undefined;
  readonly #subscriptions = new Map<string, Hear>();
  /** Those who wait for a connection for notices. */
  #waiting: (() => void)[] = [];
  readonly #watchers = new Set<ConnectionEvents>();
  /** What was last said of an outage, while there is one. */
  #said: string | undefined;
  /** Why the server cannot be used yet, at the start. */
  #refusal: RefusedByRedis | undefined;
  #isRegaining = false;
  readonly #closing = new AbortController();
  readonly #logger = new Logger('SseHub');

  private constructor(private readonly clients: RedisClients) {}

  /** @throws SseError `BACKPLANE_FAILED` that says in one line what is wrong with the server or the options */
  static async open({ model, prefix }: RedisSettings): Promise<RedisConnection> {
    const connection = new RedisConnection(await clientsOf(model, prefix));
    try {
      await within(CONNECT_TIME, connection.#closing.signal, (signal) => connection.#start(signal));
    } catch (cause) {
      connection.close();
      throw failure(connection.address, connection.#refusal ?? cause);
    }
    return connection;
  }

  get address(): string {
    return this.#commands?.address ?? this.clients.address;
  }

  /** What the names of all keys and channels begin with. */
  get prefix(): string {
    return this.clients.prefix;
  }

  /** The database, which notices know nothing of. */
  get database(): number {
    return this.clients.database;
  }

  /** Whether commands can be sent. */
  get isUp(): boolean {
    return this.#commands !== undefined;
  }

  /** Whether notices come. */
  get hasNotices(): boolean {
    return this.#notices !== undefined;
  }

  /** Tells of changes until the answer is called. */
  watch(events: ConnectionEvents): () => void {
    this.#watchers.add(events);
    return () => this.#watchers.delete(events);
  }

  /** @throws NotConnected, RefusedByRedis, WrongServer. Any other error: there was no answer */
  async send(...command: string[]): Promise<unknown> {
    const client = this.#commands;
    if (!client) throw new NotConnected();
    try {
      return await client.send(...command);
    } catch (error) {
      if (!isPassing(error)) throw error;
      const wrong = new WrongServer(error.message, { cause: error });
      this.#leave(client, wrong);
      throw wrong;
    }
  }

  /** Runs a script that Redis knows already, but for the first time after its memory of scripts was emptied. */
  async run(script: RedisScript, keys: string[], args: string[]): Promise<unknown> {
    try {
      return await this.send('EVALSHA', script.sha, String(keys.length), ...keys, ...args);
    } catch (error) {
      if (!(error instanceof RefusedByRedis && error.message.startsWith('NOSCRIPT'))) throw error;
      return this.eval(script.text, keys, args);
    }
  }

  eval(script: string, keys: string[], args: string[]): Promise<unknown> {
    return this.send('EVAL', script, String(keys.length), ...keys, ...args);
  }

  /**
   * Has what comes on a channel told until `unsubscribe()`, but for while notices are down. Resolves when that begins,
   * on the next connection where this one is lost. There is one listener a channel.
   *
   * @throws RefusedByRedis
   */
  async subscribe(channel: string, hear: Hear): Promise<void> {
    this.#subscriptions.set(channel, hear);
    const notices = this.#notices;
    try {
      await notices?.subscribe([channel]);
    } catch (error) {
      if (error instanceof RefusedByRedis) {
        this.#subscriptions.delete(channel);
        throw error;
      }
      if (notices) this.#loseNotices(notices, error);
    }
    if (!this.#notices) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  unsubscribe(channel: string): void {
    this.#subscriptions.delete(channel);
    // When it fails the connection is gone, and the next one has only what is subscribed to then.
    this.#notices?.unsubscribe(channel).catch(() => undefined);
  }

  /** Resolves when every notice that came before the call has been told. */
  async heard(): Promise<void> {
    if (!this.#notices) throw new NotConnected();
    await this.#notices.send('PING');
  }

  close(): void {
    this.#closing.abort();
    this.#commands?.end();
    this.#notices?.end();
    this.#commands = this.#notices = undefined;
  }

  async #start(signal: AbortSignal): Promise<void> {
    while (!this.#commands) {
      try {
        await this.#gainCommands(signal);
      } catch (error) {
        if (!isPassing(error)) throw error;
        this.#refusal = error;
        await delay(PATIENCE_INTERVAL, undefined, { signal });
      }
    }
    this.#refusal = undefined;
    await this.#gainNotices(signal);
  }

  async #gainCommands(signal: AbortSignal): Promise<void> {
    const client = await this.clients.open(() => undefined, signal);
    await doneOrEnded(this.#greet(client), () => client.end(), signal);
    this.#commands = client;
    this.#keep(client, (why) => this.#lose(client, why));
    this.#tell('up');
  }

  /**
   * Finds out with whom it speaks and whether it may do all that is needed, and makes the scripts known: a script that
   * came later would overtake others.
   */
  async #greet(client: RedisClient): Promise<void> {
    const hello = pairsOf(await client.send('HELLO'));
    const [mode, version = 'unknown'] = [hello.get('mode'), hello.get('version')];
    if (mode === 'sentinel') throw new UnsupportedServer('a Sentinel', SENTINEL_ADVICE);
    if (mode === 'cluster' && !this.prefix.includes('{'))
      throw new UnsupportedServer('a server of a Cluster', CLUSTER_ADVICE);
    if (!(Number.parseInt(version) >= LEAST_VERSION)) throw new UnsupportedVersion(version);
    if (hello.get('role') !== 'master') throw new WrongServer('it is a replica');
    await client.send('PING');
    await client.send('EVAL', PROBE, '1', `${this.prefix}:instances`);
    for (const { text } of Object.values(SCRIPTS)) await client.send('SCRIPT', 'LOAD', text);
    const [seconds, micros] = (await client.send('TIME')) as [string, string];
    this.clock.observe(Number(seconds) * 1_000 + Number(micros) / 1_000);
  }

  async #gainNotices(signal: AbortSignal): Promise<void> {
    const commands = this.#commands;
    const client = await this.clients.open((text, channel) => {
      this.#subscriptions.get(channel)?.(text, channel);
    }, signal);
    await doneOrEnded(this.#subscribeAll(client), () => client.end(), signal);
    // The server may be another one by now.
    if (!commands || this.#commands !== commands) {
      client.end();
      throw new NotConnected();
    }
    this.#notices = client;
    this.#keep(client, (why) => this.#loseNotices(client, why));
    this.#tell('noticesUp');
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** To what is subscribed to meanwhile, too. */
  async #subscribeAll(client: RedisClient): Promise<void> {
    const done = new Set<string>();
    for (;;) {
      const rest = [...this.#subscriptions.keys()].filter((channel) => !done.has(channel)).slice(0, CHANNELS);
      if (rest.length === 0) break;
      await client.subscribe(rest);
      for (const channel of rest) done.add(channel);
    }
    for (const channel of done)
      if (!this.#subscriptions.has(channel)) client.unsubscribe(channel).catch(() => undefined);
  }

  /** Watches over a connection on duty. A server that says nothing is asked. */
  #keep(client: RedisClient, lost: (why: unknown) => void): void {
    let unanswered = 0;
    const over = (why: unknown): void => {
      clearInterval(asking);
      client.end();
      lost(why);
    };
    const asking = setInterval(() => {
      if (unanswered++ === MOST_UNANSWERED) over(new Error(`it has not answered ${MOST_UNANSWERED} pings`));
      else client.send('PING').then(() => (unanswered = 0), over);
    }, PING_INTERVAL).unref();
    void client.lost.then(over);
  }

  /** The server is the wrong one. What is under way on the connection to it is answered still. */
  #leave(client: RedisClient, why: WrongServer): void {
    if (this.#commands !== client) return;
    const { signal } = this.#closing;
    void delay(LEAVE_INTERVAL, undefined, { signal, ref: false })
      .catch(() => undefined)
      .then(() => client.end());
    this.#lose(client, why);
  }

  #lose(client: RedisClient, why: unknown): void {
    if (this.#commands !== client) return;
    const address = this.address;
    this.#commands = undefined;
    this.#tell('down');
    if (this.#notices) {
      this.#notices.end();
      this.#notices = undefined;
      this.#tell('noticesDown');
    }
    this.#lost(address, why);
  }

  #loseNotices(client: RedisClient, why: unknown): void {
    client.end();
    if (this.#notices !== client) return;
    this.#notices = undefined;
    this.#tell('noticesDown');
    this.#lost(this.address, why);
  }

  #lost(address: string, why: unknown): void {
    if (this.#said === undefined) {
      this.#said = '';
      this.#logger.warn(`The connection to Redis at ${address} is lost: ${messageOf(why)}`);
    }
    if (!this.#isRegaining) void this.#regain(why);
  }

  /** Makes anew what is not there, until it is. */
  async #regain(why: unknown): Promise<void> {
    const { signal } = this.#closing;
    this.#isRegaining = true;
    for (let attempt = 0; !signal.aborted && !(this.#commands && this.#notices); attempt++) {
      try {
        await delay(this.#restAfter(attempt, why), undefined, { signal, ref: false });
        await within(CONNECT_TIME, signal, async (signal) => {
          if (!this.#commands) await this.#gainCommands(signal);
          await this.#gainNotices(signal);
        });
      } catch (error) {
        why = error;
        this.#sayRefused(error);
      }
    }
    this.#isRegaining = false;
    if (signal.aborted) return;
    this.#said = undefined;
    this.#logger.log(`Redis at ${this.address} is there again.`);
  }

  #restAfter(attempt: number, why: unknown): number {
    if (why instanceof WrongServer) return LEAVE_INTERVAL;
    return this.clients.retryIn(attempt, why) ?? Math.min(2 ** attempt * 50, 2_000) + Math.random() * 200;
  }

  /** What does not pass by itself is said once. */
  #sayRefused(error: unknown): void {
    if (isPassing(error) || !(error instanceof RefusedByRedis || error instanceof Unsupported)) return;
    const { message } = failure(this.clients.address, error);
    if (message === this.#said || this.#closing.signal.aborted) return;
    this.#said = message;
    this.#logger.error(message);
  }

  #tell(what: keyof ConnectionEvents): void {
    for (const watcher of this.#watchers) watcher[what]();
  }
}

/** Gives up what takes longer than it may, or than there is a use for it. */
async function within<T>(
  milliseconds: number,
  closing: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const close = (): void => over.abort(new NotConnected());
  const timer = setTimeout(() => {
    over.abort(new Error(`there was no answer within ${milliseconds} ms`));
  }, milliseconds).unref();
  closing.addEventListener('abort', close);
  try {
    return await new Promise<T>((resolve, reject) => {
      over.signal.addEventListener('abort', () => reject(over.signal.reason as Error));
      work(over.signal).then(resolve, reject);
    });
  } finally {
    clearTimeout(timer);
    closing.removeEventListener('abort', close);
  }
}

/** What HELLO answers: names and values in turn. */
function pairsOf(answer: unknown): ReadonlyMap<string, string> {
  const flat = answer as unknown[];
  return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), String(flat[i + 1])]] : [])));
}

const SENTINEL_ADVICE =
  'Give { name, sentinelRootNodes } as "connection", or a client of ioredis that has "sentinels".';
const CLUSTER_ADVICE = 'Give { rootNodes } as "connection", or a Cluster of ioredis as "client".';

/** A server that will not be the right one by itself. */
abstract class Unsupported extends Error {
  abstract tell(address: string): string;
}

class UnsupportedVersion extends Unsupported {
  tell(address: string): string {
    return `Redis at ${address} has version ${this.message}, and at least ${LEAST_VERSION}.0 is needed. Upgrade it.`;
  }
}

class UnsupportedServer extends Unsupported {
  constructor(
    what: string,
    private readonly advice: string,
  ) {
    super(what);
  }

  tell(address: string): string {
    return `Redis at ${address} is ${this.message}, and was given as one server. ${this.advice}`;
  }
}

const isPassing = (error: unknown): error is RefusedByRedis =>
  error instanceof RefusedByRedis && WRONG_SERVER.test(error.message);

const messageOf = (error: unknown): string => {
  // An AggregateError of Node has no message, but what it is made of has.
  return reasonOf(error instanceof AggregateError ? error.errors[0] : error);
};

function failure(address: string, cause: unknown): SseError {
  const message = messageOf(cause);
  let text = `Redis at ${address} cannot be reached: ${message}. Start it there, or correct the URL.`;
  if (cause instanceof Unsupported) text = cause.tell(address);
  else if (/^(WRONGPASS|NOAUTH)|AUTH/.test(message))
    text = `Redis at ${address} does not accept the password: ${message} Correct it in the URL or the connection options.`;
  else if (cause instanceof WrongServer)
    text = `Redis at ${address} is a replica, on which nothing can be published. Give the address of the primary.`;
  else if (isPassing(cause))
    text = `Redis at ${address} cannot be used yet: ${message}. Start the application again when it can.`;
  else if (cause instanceof RefusedByRedis)
    text = `Redis at ${address} refuses to be used: ${message}. Give the user the rights that README lists.`;
  return new SseError('BACKPLANE_FAILED', text, { cause });
}
