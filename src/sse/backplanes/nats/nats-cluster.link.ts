import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { JetStreamApiError, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type {
  JetStreamClient,
  JetStreamManager,
  MsgRequest,
  StoredMsg,
  StreamConfig,
  StreamInfo,
} from '@nats-io/jetstream';
import { nanos, RequestError, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import { AWAY_TIME } from '../../cluster/cluster.js';
import {
  ALIVE,
  BEAT,
  type ClusterLink,
  type LinkEvents,
  type Members,
  type OrderLog,
} from '../common/cluster-link.js';
import { NatsOrders } from './nats.orders.js';
import { NatsWills } from './nats.wills.js';

/** How the streams of a cluster are kept: one small message for each lease and each instance, and the last orders. */
export interface NatsClusterOptions {
  /** Servers that keep it. @defaultValue 1 */
  readonly replicas?: number;
  /** In memory the leases are lost with the server, and nobody leads for some seconds. @defaultValue 'file' */
  readonly storage?: 'file' | 'memory';
}

/** Milliseconds within which the server answers. An answer that comes later is of no use to a holder. */
const ANSWER_TIME = 2 * BEAT;

/** Milliseconds between two attempts to be heard by a stream that is being made. */
const PAUSE = 50;

/** Codes of JetStream's errors. */
const NO_STREAM = 10059;
const NO_MESSAGE = 10037;
const WRONG_LAST_SEQUENCE = 10071;

/** Milliseconds between two signs of life by which an instance is remembered when it is away. */
const REMINDER = 15_000;

/** What a lease's last message was is to be looked up: a publication had no answer. */
const UNKNOWN = -1;

type Config = Partial<StreamConfig> & { name: string };

/**
 * What NATS does for a cluster: messages go by core publish and subscribe. Leases and instances are the
 * last messages of their subjects in a small stream in which nothing grows older than {@link ALIVE}. Who
 * publishes on a lease says which message is the last one there, and is refused if another is. A second stream
 * remembers instances for longer, and a third one is the log of orders.
 */
export class NatsClusterLink implements ClusterLink {
  readonly #root: string;
  readonly #stream: string;
  readonly #config: Config;
  readonly #known: Config;
  readonly #log: Config;
  readonly orders: OrderLog;
  readonly wills: NatsWills;
  readonly #decoder = new TextDecoder();
  #manager!: JetStreamManager;
  #jetstream!: JetStreamClient;
  #subscription: Subscription | undefined;
  #isConnected = true;
  #isClosed = false;
  /** The last message of each lease by who holds it: its sequence, or {@link UNKNOWN}. */
  readonly #held = new Map<string, number>();
  /** When the stream was made that is known. */
  #created: string | undefined;
  /** When those may ask for a lease who do not hold it: `performance.now()`. */
  #opensAt = 0;
  /** When the second stream was last told that this instance is there: `performance.now()`. */
  #remindedAt = -Infinity;

  constructor(
    private readonly connection: NatsConnection,
    prefix: string,
    options: NatsClusterOptions = {},
  ) {
    const { replicas = 1, storage = 'file' } = options;
    this.#root = `${prefix}-cluster`;
    this.#stream = this.#root.replaceAll(/[.\s*>/\\]/g, '_');
    const common = {
      retention: RetentionPolicy.Limits,
      storage: storage === 'file' ? StorageType.File : StorageType.Memory,
      num_replicas: replicas,
    };
    this.#config = {
      ...common,
      name: this.#stream,
      subjects: [`${this.#root}.lease.*`, `${this.#root}.instance.*`],
      max_msgs_per_subject: 1,
      max_age: nanos(ALIVE),
    };
    this.#known = {
      ...common,
      name: `${this.#stream}-known`,
      subjects: [`${this.#root}.known.*`, `${this.#root}.clock.*`],
      max_msgs_per_subject: 1,
      max_age: nanos(AWAY_TIME),
    };
    this.#log = {
      ...common,
      name: `${this.#stream}-orders`,
      subjects: [`${this.#root}.order`],
      max_msgs: NatsOrders.limit,
    };
    const orders = new NatsOrders({
      publish: (text, lastSequence) => this.#publish(this.#log, `${this.#root}.order`, text, lastSequence),
      message: (seq) =>
        this.#message(this.#log, seq === undefined ? { last_by_subj: `${this.#root}.order` } : { seq }),
    });
    this.orders = {
      end: () => this.#insist(() => orders.end()),
      read: (after) => orders.orders(after),
      add: (text, known) => orders.addAfter(text, known),
    };
    this.wills = new NatsWills(connection, prefix, options);
  }

  async open(events: LinkEvents): Promise<void> {
    this.#manager = await jetstreamManager(this.connection, { checkAPI: false, timeout: ANSWER_TIME });
    this.#jetstream = this.#manager.jetstream();
    await Promise.all([this.#prepare(), this.#found(this.#known), this.#found(this.#log)]);
    this.#subscription = this.connection.subscribe(`${this.#root}.say`, {
      callback: (error, message) => {
        if (!error) events.received(message.string());
      },
    });
    await this.connection.flush();
    void this.#watch(events);
  }

  async send(text: string): Promise<void> {
    this.#refuseAway();
    this.connection.publish(`${this.#root}.say`, text);
    await this.connection.flush();
  }

  async hold(name: string, token: string, as: 'candidate' | 'leader'): Promise<boolean> {
    this.#refuseAway();
    if (as === 'candidate' && performance.now() < this.#opensAt) return false;
    const subject = this.#lease(name);
    const last = await this.#lastOf(subject, token);
    if (last === undefined) return false;
    this.#held.set(token, UNKNOWN);
    try {
      this.#held.set(token, await this.#publish(this.#config, subject, token, last));
      return true;
    } catch (error) {
      if (!isRefusal(error, WRONG_LAST_SEQUENCE)) throw error;
      this.#held.delete(token);
      return false;
    }
  }

  async release(name: string, token: string): Promise<void> {
    this.#refuseAway();
    const last = await this.#lastOf(this.#lease(name), token);
    this.#held.delete(token);
    if (last) await this.#manager.streams.deleteMessage(this.#stream, last, false);
  }

  async enrol(instance: string): Promise<void> {
    await this.#insist(() => this.#publish(this.#config, `${this.#root}.instance.${instance}`, ''));
    await this.#remind(instance);
  }

  async withdraw(instance: string): Promise<void> {
    this.#refuseAway();
    const { streams } = this.#manager;
    await Promise.all([
      streams.purge(this.#stream, { filter: `${this.#root}.instance.${instance}` }),
      streams.purge(this.#known.name, { filter: `${this.#root}.known.${instance}` }),
    ]);
  }

  async members(): Promise<Members> {
    this.#refuseAway();
    const [there, known] = await Promise.all([
      this.#tails(this.#config, `${this.#root}.instance.`),
      this.#tails(this.#known, `${this.#root}.known.`),
    ]);
    return { there, away: known.filter((instance) => !there.includes(instance)) };
  }

  async time(): Promise<number> {
    this.#refuseAway();
    // What a server says of its clock is when it stored something.
    const subject = `${this.#root}.clock.${randomUUID()}`;
    const seq = await this.#insist(() => this.#publish(this.#known, subject, ''));
    const stored = await this.#message(this.#known, { seq });
    if (!stored) throw new Error('NATS has lost a message that was just stored');
    this.#manager.streams.purge(this.#known.name, { filter: subject }).catch(() => undefined);
    return stored.time.getTime();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#subscription?.unsubscribe();
  }

  async #watch(events: LinkEvents): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (this.#isClosed) return;
      if (type === 'disconnect') this.#isConnected = false;
      if (type !== 'reconnect') continue;
      this.#isConnected = true;
      await this.#prepare().catch(() => undefined); // JetStream may come later than the server: see #publish
      events.reconnected();
    }
  }

  /**
   * Sees to it that the stream is there. One that was made anew has lost the leases, and who holds one may
   * not know of it yet: so long as that may be, nobody is given one.
   */
  async #prepare(): Promise<void> {
    const { created } = await this.#found(this.#config);
    if (this.#created !== undefined && this.#created !== created) this.#opensAt = performance.now() + ALIVE;
    this.#created = created;
  }

  #found(config: Config): Promise<StreamInfo> {
    const { streams } = this.#manager;
    return streams.info(config.name).catch((error: unknown) => {
      if (!isRefusal(error, NO_STREAM)) throw error;
      return streams.add(config).catch((refusal: unknown) =>
        // Another instance may have been faster.
        streams.info(config.name).catch(() => {
          throw refusal;
        }),
      );
    });
  }

  async #remind(instance: string): Promise<void> {
    const now = performance.now();
    if (now - this.#remindedAt < REMINDER) return;
    await this.#insist(() => this.#publish(this.#known, `${this.#root}.known.${instance}`, ''));
    this.#remindedAt = now;
  }

  /** Does something to a stream: one that another instance is making is known before it takes anything. */
  async #insist<T>(task: () => Promise<T>): Promise<T> {
    const until = performance.now() + ANSWER_TIME;
    for (;;) {
      this.#refuseAway();
      try {
        return await task();
      } catch (error) {
        if (!isUnheard(error) || performance.now() > until) throw error;
        await delay(PAUSE);
      }
    }
  }

  /** What the subjects that something is kept of end with. */
  async #tails({ name }: Config, root: string): Promise<string[]> {
    const { state } = await this.#manager.streams.info(name, { subjects_filter: `${root}*` });
    return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(root.length));
  }

  async #message({ name }: Config, query: MsgRequest): Promise<StoredMsg | undefined> {
    this.#refuseAway();
    try {
      return (await this.#manager.streams.getMessage(name, query)) ?? undefined;
    } catch (error) {
      if (isRefusal(error, NO_MESSAGE) || isRefusal(error, NO_STREAM)) return undefined;
      throw error;
    }
  }

  /** @returns the message's sequence */
  async #publish(
    config: Config,
    subject: string,
    text: string,
    lastSubjectSequence?: number,
  ): Promise<number> {
    this.#refuseAway();
    const expect = lastSubjectSequence === undefined ? {} : { expect: { lastSubjectSequence } };
    try {
      return (await this.#jetstream.publish(subject, text, { timeout: ANSWER_TIME, ...expect })).seq;
    } catch (error) {
      // Nobody takes it where there is no stream. The next attempt finds one.
      if (isUnheard(error)) await (config === this.#config ? this.#prepare() : this.#found(config));
      throw error;
    }
  }

  /** The sequence of the message by which the token holds a lease, 0 if nobody does, undefined if another does. */
  async #lastOf(subject: string, token: string): Promise<number | undefined> {
    const known = this.#held.get(token) ?? 0;
    if (known !== UNKNOWN) return known;
    const query = { last_by_subj: subject };
    const last = await this.#manager.streams.getMessage(this.#stream, query).catch((error: unknown) => {
      if (isRefusal(error, NO_MESSAGE)) return null;
      throw error;
    });
    if (!last) return 0;
    return this.#decoder.decode(last.data) === token ? last.seq : undefined;
  }

  /** A name may hold what a subject may not. */
  #lease(name: string): string {
    return `${this.#root}.lease.${Buffer.from(name).toString('base64url')}`;
  }

  /** The client would keep the message until it has a connection again, which may be too late. */
  #refuseAway(): void {
    if (!this.#isConnected || this.connection.isClosed()) throw new Error('there is no connection to NATS');
  }
}

function isRefusal(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

/** Whether nobody was there to take it. */
function isUnheard(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof RequestError && error.cause.isNoResponders();
}
