import { setTimeout as delay } from 'node:timers/promises';
import { JetStreamApiError, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { JetStreamClient, JetStreamManager, StreamConfig, StreamInfo } from '@nats-io/jetstream';
import { nanos, RequestError, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import { ALIVE, BEAT, type ClusterLink, type LinkEvents } from '../remote/cluster-link.js';

/** How the stream of a cluster is kept. It holds one small message for each lease and each instance. */
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

/** What a lease's last message was is to be looked up: a publication had no answer. */
const UNKNOWN = -1;

/**
 * What NATS does for a cluster: messages go by core publish and subscribe. Leases and instances are the
 * last messages of their subjects in a small stream in which nothing grows older than {@link ALIVE}. Who
 * publishes on a lease says which message is the last one there, and is refused if another is.
 */
export class NatsClusterLink implements ClusterLink {
  readonly #root: string;
  readonly #stream: string;
  readonly #config: Partial<StreamConfig> & { name: string };
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

  constructor(
    private readonly connection: NatsConnection,
    prefix: string,
    { replicas = 1, storage = 'file' }: NatsClusterOptions = {},
  ) {
    this.#root = `${prefix}-cluster`;
    this.#stream = this.#root.replaceAll(/[.\s*>/\\]/g, '_');
    this.#config = {
      name: this.#stream,
      subjects: [`${this.#root}.lease.*`, `${this.#root}.instance.*`],
      retention: RetentionPolicy.Limits,
      storage: storage === 'file' ? StorageType.File : StorageType.Memory,
      num_replicas: replicas,
      max_msgs_per_subject: 1,
      max_age: nanos(ALIVE),
    };
  }

  async open(events: LinkEvents): Promise<void> {
    this.#manager = await jetstreamManager(this.connection, { checkAPI: false, timeout: ANSWER_TIME });
    this.#jetstream = this.#manager.jetstream();
    await this.#prepare();
    this.#subscription = this.connection.subscribe(`${this.#root}.say`, {
      callback: (error, message) => {
        if (!error) events.heard(message.string());
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

  async hold(name: string, token: string, isHeld: boolean): Promise<boolean> {
    this.#refuseAway();
    if (!isHeld && performance.now() < this.#opensAt) return false;
    const subject = this.#lease(name);
    const last = await this.#lastOf(subject, token);
    if (last === undefined) return false;
    this.#held.set(token, UNKNOWN);
    try {
      this.#held.set(token, await this.#publish(subject, token, last));
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
    const until = performance.now() + ANSWER_TIME;
    for (;;) {
      this.#refuseAway();
      try {
        await this.#publish(`${this.#root}.instance.${instance}`, '');
        return;
      } catch (error) {
        // One that another instance is making is known before it takes anything.
        if (!isUnheard(error) || performance.now() > until) throw error;
        await delay(PAUSE);
      }
    }
  }

  async withdraw(instance: string): Promise<void> {
    this.#refuseAway();
    await this.#manager.streams.purge(this.#stream, { filter: `${this.#root}.instance.${instance}` });
  }

  async members(): Promise<string[]> {
    this.#refuseAway();
    const instances = `${this.#root}.instance.`;
    const { state } = await this.#manager.streams.info(this.#stream, { subjects_filter: `${instances}*` });
    return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(instances.length));
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
    const { created } = await this.#manager.streams.info(this.#stream).catch((error: unknown) => {
      if (isRefusal(error, NO_STREAM)) return this.#make();
      throw error;
    });
    if (this.#created !== undefined && this.#created !== created) this.#opensAt = performance.now() + ALIVE;
    this.#created = created;
  }

  async #make(): Promise<StreamInfo> {
    const { streams } = this.#manager;
    return streams.add(this.#config).catch((refusal: unknown) =>
      // Another instance may have been faster.
      streams.info(this.#stream).catch(() => {
        throw refusal;
      }),
    );
  }

  /** @returns the message's sequence */
  async #publish(subject: string, text: string, lastSubjectSequence?: number): Promise<number> {
    const expect = lastSubjectSequence === undefined ? {} : { expect: { lastSubjectSequence } };
    try {
      return (await this.#jetstream.publish(subject, text, { timeout: ANSWER_TIME, ...expect })).seq;
    } catch (error) {
      // Nobody takes it where there is no stream. The next attempt finds one.
      if (isUnheard(error)) await this.#prepare();
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
