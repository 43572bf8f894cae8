import { randomUUID } from 'node:crypto';
import { nanos, type NatsConnection } from '@nats-io/transport-node';
import { AWAY_TIME } from '../../cluster/cluster.js';
import {
  ALIVE,
  BEAT,
  ORDERS,
  type ClusterLink,
  type LinkEvents,
  type Members,
} from '../common/cluster-link.js';
import { JetStreamConnection } from './connection.js';
import { isConflict, NotTaken } from './errors.js';
import { lastTokenOf } from './layout.js';
import { NatsStream, type NatsStreamConfig } from './nats-stream.js';
import type { NatsSettings } from './nats.options.js';
import { NatsOrders } from './nats.orders.js';
import { NatsWills } from './nats.wills.js';

/** How the streams of a cluster are kept: see `natsBackplane()`. */
export type NatsClusterOptions = Pick<NatsSettings, 'replicas' | 'storage'>;

/** Milliseconds within which the server answers. An answer that comes later is of no use to the holder of a lease. */
const ANSWER_TIME = 2 * BEAT;

/** Milliseconds between two signs of life in the stream `-known`, where an instance is remembered when it is away. */
const REMINDER = 15_000;

/**
 * A cluster on NATS. Letters go by core publish and subscribe; the rest lies in four small streams, whose names begin
 * with `<prefix>-cluster`:
 *
 * - no suffix: leases and instances, each the last message of a subject, deleted when it is older than {@link ALIVE}.
 *   A holder publishes again with the sequence of its last message, and is refused if the subject has another.
 * - `-known`: instances, remembered for longer, and messages that only tell the server's time.
 * - `-orders`: the log of orders, by {@link NatsOrders}.
 * - `-wills`: the wills, by {@link NatsWills}.
 */
export class NatsClusterLink implements ClusterLink {
  readonly orders: NatsOrders;
  readonly wills: NatsWills;
  readonly #leases: NatsStream;
  readonly #known: NatsStream;
  /** The sequence of each holder's last message, by token; `unknown` if a publication had no answer. */
  readonly #held = new Map<string, number | 'unknown'>();
  /** When the last sign of life was published to the stream `-known`: `performance.now()`. */
  #remindedAt = -Infinity;

  private constructor(
    private readonly connection: JetStreamConnection,
    private readonly root: string,
    { replicas, storage }: NatsClusterOptions,
  ) {
    const stream = (suffix: string, config: Omit<NatsStreamConfig, 'name'>): NatsStream =>
      new NatsStream(connection, { storage, num_replicas: replicas, name: `${root}${suffix}`, ...config });
    const last = { max_msgs_per_subject: 1 };
    this.#leases = stream('', {
      ...last,
      subjects: [`${root}.lease.*`, `${root}.instance.*`],
      max_age: nanos(ALIVE),
    });
    this.#known = stream('-known', {
      ...last,
      subjects: [`${root}.known.*`, `${root}.clock.*`],
      max_age: nanos(AWAY_TIME),
    });
    const order = `${root}.order`;
    this.orders = new NatsOrders(stream('-orders', { subjects: [order], max_msgs: ORDERS }), order);
    const wills = `${root}.will`;
    this.wills = new NatsWills(stream('-wills', { ...last, subjects: [`${wills}.*.*`] }), wills);
  }

  /** Shares a connection, which `close()` leaves open. */
  static async on(
    nats: NatsConnection,
    prefix: string,
    options: NatsClusterOptions = { replicas: 1, storage: 'file' },
  ): Promise<NatsClusterLink> {
    const connection = await JetStreamConnection.on(nats, { publish: ANSWER_TIME, request: ANSWER_TIME });
    return new NatsClusterLink(connection, `${prefix}-cluster`, options);
  }

  async open(events: LinkEvents): Promise<void> {
    await Promise.all([this.#leases.ensure(), this.#known.ensure()]);
    this.connection.subscribe(`${this.root}.say`, (message) => events.received(message.string()));
    // JetStream may come later than the server.
    const ensure = () => this.#leases.ensure().catch(() => undefined);
    this.connection.watch((isUp) => {
      if (isUp) void ensure().then(() => events.reconnected());
    });
    await this.connection.flush();
  }

  send(text: string): Promise<void> {
    const { connection } = this;
    return connection.request(() => {
      connection.nats.publish(`${this.root}.say`, text);
      return connection.nats.flush();
    });
  }

  async hold(name: string, token: string, as: 'candidate' | 'leader'): Promise<boolean> {
    // A stream that was made anew has lost the leases, and a holder may not know of it yet.
    if (as === 'candidate' && performance.now() < this.#leases.remadeAt + ALIVE) return false;
    const subject = this.#lease(name);
    const expected = await this.#lastOf(subject, token);
    if (expected === undefined) return false;
    this.#held.set(token, 'unknown');
    try {
      const { seq } = await this.#leases.publish(subject, token, { expected });
      this.#held.set(token, seq);
      return true;
    } catch (error) {
      // Not sent again: when the stream was made anew, the lease may be held by another.
      if (error instanceof NotTaken) await this.#leases.ensure();
      if (!isConflict(error)) throw error;
      this.#held.delete(token);
      return false;
    }
  }

  async release(name: string, token: string): Promise<void> {
    const last = await this.#lastOf(this.#lease(name), token);
    this.#held.delete(token);
    if (last) await this.#leases.delete(last);
  }

  async enrol(instance: string): Promise<void> {
    await this.#leases.publishOrMake(`${this.root}.instance.${instance}`, '');
    const now = performance.now();
    if (now - this.#remindedAt < REMINDER) return;
    await this.#known.publishOrMake(`${this.root}.known.${instance}`, '');
    this.#remindedAt = now;
  }

  async withdraw(instance: string): Promise<void> {
    await Promise.all([
      this.#leases.purge(`${this.root}.instance.${instance}`),
      this.#known.purge(`${this.root}.known.${instance}`),
    ]);
  }

  async members(): Promise<Members> {
    const [there, known] = await Promise.all([
      this.#leases.subjects(`${this.root}.instance.*`),
      this.#known.subjects(`${this.root}.known.*`),
    ]);
    const instances = there.map(lastTokenOf);
    return { there: instances, away: known.map(lastTokenOf).filter((one) => !instances.includes(one)) };
  }

  async time(): Promise<number> {
    // A server tells its time by when it stored something.
    const subject = `${this.root}.clock.${randomUUID()}`;
    const { seq } = await this.#known.publishOrMake(subject, '');
    const stored = await this.#known.message(seq);
    if (!stored) throw new Error('NATS has lost a message that was just stored');
    this.#known.purge(subject).catch(() => undefined);
    return stored.time;
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /** The sequence of the message by which the token holds a lease, 0 if nobody does, undefined if another does. */
  async #lastOf(subject: string, token: string): Promise<number | undefined> {
    const known = this.#held.get(token) ?? 0;
    if (known !== 'unknown') return known;
    const last = await this.#leases.newest(subject);
    if (!last) return 0;
    return last.text === token ? last.seq : undefined;
  }

  /** A name may hold characters that a subject may not. */
  #lease(name: string): string {
    return `${this.root}.lease.${Buffer.from(name).toString('base64url')}`;
  }
}
