import { Logger } from '@nestjs/common';
import { LogLine } from '../../log-line.js';
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../common/remote-logs.js';
import { LowerBoundClock } from '../common/server-clock.js';
import { giveUpAfter } from '../common/tasks.js';
import {
  connect,
  NotConnected,
  RefusedByRedis,
  type Receive,
  type RedisClient,
  type RedisSource,
} from './clients/redis-client.js';
import { checkServer, isPassing, messageOf, startFailure, Unsupported, WrongServer } from './redis.errors.js';
import type { RedisSettings } from './redis.options.js';
import { PROBE, SCRIPTS, type RedisScript } from './redis.scripts.js';

/** Milliseconds that the start may take, and later each attempt to connect. */
const CONNECT_TIME = 5_000;
/** Milliseconds between two pings. */
const PING_INTERVAL = 5_000;
/** Pings that may be without an answer before the connection counts as lost. */
const MOST_UNANSWERED = 2;
/** Milliseconds after which, at the start, a server that cannot be used yet is tried again. */
const PATIENCE_INTERVAL = 100;
/**
 * Milliseconds after which, when the server is the wrong one, the address is tried again. For as long the connection to
 * the wrong one may still answer.
 */
const LEAVE_INTERVAL = 500;
/** The most topics of one SUBSCRIBE. */
const TOPICS = 1_000;

type State =
  | { readonly kind: 'away'; readonly commands?: undefined; readonly notices?: undefined }
  | { readonly kind: 'silent'; readonly commands: RedisClient; readonly notices?: undefined }
  | { readonly kind: 'up'; readonly commands: RedisClient; readonly notices: RedisClient };

const AWAY: State = { kind: 'away' };

/**
 * Two connections to one Redis: one for commands and one for notices. The start fails if they cannot be made in
 * {@link CONNECT_TIME}. Later a lost connection is made again, however long that takes. Commands never wait here for a
 * connection.
 *
 * ```text
 *        commands: greeted           notices: all subscriptions are made
 *  away ──────────────────▶ silent ─────────────────────────────────────▶ up
 *    ▲  ◀──────────────────   ▲    ◀─────────────────────────────────────  │
 *    │    commands lost       │      notices lost                          │
 *    └────────────────────────┴───── commands lost ────────────────────────┘
 * ```
 *
 * Notices must come from the server that takes the commands: when the connection for commands is lost, both are made
 * anew. `close()` makes the state `away` for good, without telling the watchers.
 *
 * A topic is a channel of Redis' pub/sub; a channel is one of the hub.
 */
export class RedisConnection {
  readonly clock = new LowerBoundClock();
  /** The beginning of the names of all keys and topics. */
  readonly prefix: string;
  readonly database: number;
  #state: State = AWAY;
  readonly #subscriptions = new Map<string, Receive>();
  /** Callers of `subscribe()` that wait for a connection for notices. */
  #waiting: (() => void)[] = [];
  readonly #watchers: ((state: Connection) => void)[] = [];
  /** The server that was tried last, or before that the given address: for messages. */
  #found: { readonly address: string };
  /** Whether a lost connection is being made again. */
  #isRegaining = false;
  readonly #closing = new AbortController();
  readonly #logger = new Logger('SseHub');

  private constructor(private readonly source: RedisSource) {
    ({ prefix: this.prefix, database: this.database } = source);
    this.#found = source;
  }

  /** @throws SseError `BACKPLANE_FAILED`: what is wrong with the server or the options, in one line */
  static async open({ find }: RedisSettings): Promise<RedisConnection> {
    const connection = new RedisConnection(await find());
    /** Why the server could not be used at the last attempt. */
    let refusal: unknown;
    const start = async (signal: AbortSignal): Promise<void> => {
      while (!connection.#state.commands) {
        try {
          await connection.#gainCommands(signal);
          refusal = undefined;
        } catch (error) {
          refusal = isPassing(error) ? error : undefined;
          if (!refusal) throw error;
          await delay(PATIENCE_INTERVAL, undefined, { signal });
        }
      }
      await connection.#gain(signal);
    };
    try {
      await giveUpAfter(CONNECT_TIME, start, connection.#closing.signal);
    } catch (cause) {
      connection.close();
      throw startFailure(connection.address, refusal ?? cause);
    }
    return connection;
  }

  get address(): string {
    return (this.#state.commands ?? this.#found).address;
  }

  /** Tells of each change from now on. @returns the present state */
  watch(changed: (state: Connection) => void): Connection {
    this.#watchers.push(changed);
    return this.#state.kind;
  }

  /** @throws NotConnected, RefusedByRedis, WrongServer; any other error if there was no answer */
  async send(...command: string[]): Promise<unknown> {
    const client = this.#state.commands;
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

  /**
   * Runs a script by its hash. If Redis has forgotten the script, as after SCRIPT FLUSH, its text is sent: calls that
   * were made later overtake this one.
   */
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
   * Receives the messages of a topic until `unsubscribe()`, while the connection is `up`. A topic has one receiver.
   * Resolves when the subscription is made; if the connection is lost before, when the next one has made it.
   *
   * @throws RefusedByRedis
   */
  async subscribe(topic: string, receive: Receive): Promise<void> {
    this.#subscriptions.set(topic, receive);
    const { notices } = this.#state;
    try {
      await notices?.subscribe([topic]);
    } catch (error) {
      if (error instanceof RefusedByRedis) {
        this.#subscriptions.delete(topic);
        throw error;
      }
      if (notices) this.#lose(notices, error);
    }
    if (!this.#state.notices) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  unsubscribe(topic: string): void {
    this.#subscriptions.delete(topic);
    // It fails when the connection is gone. The next one does not subscribe to the topic.
    this.#state.notices?.unsubscribe(topic).catch(() => undefined);
  }

  /** Resolves when every notice that came before the call has been told: the answer to a PING comes after them. */
  async noticesArrived(): Promise<void> {
    if (!this.#state.notices) throw new NotConnected();
    await this.#state.notices.send('PING');
  }

  close(): void {
    this.#closing.abort(new NotConnected());
    this.#state.commands?.end();
    this.#state.notices?.end();
    this.#state = AWAY;
  }

  /** Makes the connections that are missing. */
  async #gain(signal: AbortSignal): Promise<void> {
    const commands = this.#state.commands ?? (await this.#gainCommands(signal));
    const receive: Receive = (text, topic) => this.#subscriptions.get(topic)?.(text, topic);
    const notices = await this.#connect(signal, (client) => this.#subscribeAll(client), receive);
    // The connection for commands was lost meanwhile, and the next one may lead to another server.
    if (this.#state.commands !== commands) {
      notices.end();
      throw new NotConnected();
    }
    this.#become({ kind: 'up', commands, notices });
    this.#watchOver(notices);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #gainCommands(signal: AbortSignal): Promise<RedisClient> {
    const commands = await this.#connect(signal, (client) => this.#greet(client));
    this.#become({ kind: 'silent', commands });
    this.#watchOver(commands);
    return commands;
  }

  async #connect(
    signal: AbortSignal,
    prepare: (client: RedisClient) => Promise<void>,
    receive?: Receive,
  ): Promise<RedisClient> {
    const client = await this.source.find(signal, receive);
    this.#found = client;
    return connect(client, signal, prepare);
  }

  /**
   * Checks the server and the rights of the user, and loads the scripts: a call that is answered with NOSCRIPT would be
   * overtaken by later ones.
   */
  async #greet(client: RedisClient): Promise<void> {
    checkServer(pairsOf(await client.send('HELLO')), this.prefix);
    await client.send('PING');
    await client.send('EVAL', PROBE, '1', `${this.prefix}:instances`);
    for (const { text } of Object.values(SCRIPTS)) await client.send('SCRIPT', 'LOAD', text);
    const [seconds, micros] = (await client.send('TIME')) as [string, string];
    this.clock.observe(Number(seconds) * 1_000 + Number(micros) / 1_000);
  }

  /** Subscribes to all topics, also to those that are added meanwhile. */
  async #subscribeAll(client: RedisClient): Promise<void> {
    const done = new Set<string>();
    for (;;) {
      const rest = [...this.#subscriptions.keys()].filter((topic) => !done.has(topic)).slice(0, TOPICS);
      if (rest.length === 0) break;
      await client.subscribe(rest);
      for (const topic of rest) done.add(topic);
    }
    for (const topic of done)
      if (!this.#subscriptions.has(topic)) client.unsubscribe(topic).catch(() => undefined);
  }

  /** Pings, to detect a connection that died without a close. */
  #watchOver(client: RedisClient): void {
    let unanswered = 0;
    const over = (why: unknown): void => {
      clearInterval(asking);
      this.#lose(client, why);
    };
    const asking = setInterval(() => {
      if (unanswered++ === MOST_UNANSWERED) over(new Error(`it has not answered ${MOST_UNANSWERED} pings`));
      else client.send('PING').then(() => (unanswered = 0), over);
    }, PING_INTERVAL).unref();
    void client.lost.then(over);
  }

  #lose(client: RedisClient, why: unknown): void {
    client.end();
    this.#giveUp(client, why);
  }

  /** Gives up the connection to a wrong server, after its answers to the commands that are under way. */
  #leave(client: RedisClient, why: WrongServer): void {
    if (this.#state.commands !== client) return;
    const { signal } = this.#closing;
    void delay(LEAVE_INTERVAL, undefined, { signal, ref: false })
      .catch(() => undefined)
      .then(() => client.end());
    this.#giveUp(client, why);
  }

  #giveUp(client: RedisClient, why: unknown): void {
    const { commands, notices } = this.#state;
    if (client !== commands && client !== notices) return;
    notices?.end();
    this.#become(commands && client === notices ? { kind: 'silent', commands } : AWAY);
    if (this.#isRegaining) return;
    const line = `The connection to Redis at ${client.address} is lost: ${messageOf(why)}`;
    this.#logger.warn(new LogLine(line, { redis: client.address }));
    void this.#regain(why);
  }

  /** Makes the missing connections again, until they are there. Logs a refusal that will not pass, once. */
  async #regain(why: unknown): Promise<void> {
    const { signal } = this.#closing;
    let logged = '';
    this.#isRegaining = true;
    for (let attempt = 0; !signal.aborted && this.#state.kind !== 'up'; attempt++) {
      try {
        await delay(this.#restAfter(attempt, why), undefined, { signal, ref: false });
        await giveUpAfter(CONNECT_TIME, (within) => this.#gain(within), signal);
      } catch (error) {
        why = error;
        const isFinal =
          (error instanceof RefusedByRedis && !isPassing(error)) || error instanceof Unsupported;
        const { message } = startFailure(this.#found.address, error);
        if (!isFinal || message === logged || signal.aborted) continue;
        this.#logger.error(new LogLine(message, { redis: this.#found.address }));
        logged = message;
      }
    }
    this.#isRegaining = false;
    if (!signal.aborted)
      this.#logger.log(new LogLine(`Redis at ${this.address} is there again.`, { redis: this.address }));
  }

  #restAfter(attempt: number, why: unknown): number {
    if (why instanceof WrongServer) return LEAVE_INTERVAL;
    const rest = this.source.retryIn(attempt, why);
    return typeof rest === 'number' ? rest : Math.min(2 ** attempt * 50, 2_000) + Math.random() * 200;
  }

  #become(state: State): void {
    this.#state = state;
    for (const changed of this.#watchers) changed(state.kind);
  }
}

/** Reads an answer in which names and values alternate. */
export function pairsOf(answer: unknown): ReadonlyMap<string, string> {
  const flat = answer as unknown[];
  return new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), String(flat[i + 1])]] : [])));
}
