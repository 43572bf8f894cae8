import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { ClusterListener, OrderFollower, SseCluster } from '../../cluster/cluster.js';
import { hubClosed, reasonOf, SseError } from '../../sse.errors.js';
import { BEAT, type ClusterLink } from './cluster-link.js';
import { objectIn } from './event-text.js';
import { Listeners } from './followers.js';
import { Lease } from './lease.js';
import { RemoteOrders, type OrderNotice } from './remote-orders.js';
import { RemoteWills } from './remote-wills.js';
import { coalesced, giveUpAfter } from './tasks.js';

/** Milliseconds within which a call that waits for the server is answered. */
const ANSWER_TIME = 5_000;

/** Milliseconds that each step of leaving may take. */
const LEAVE_TIME = 1_000;

/** The messages between instances: a broadcast on a topic, that a lease was given back, or an order. */
type Message = { readonly from: string } & (
  | { readonly topic: string; readonly message: unknown }
  | { readonly released: string }
  | { readonly ordered: OrderNotice }
);

/**
 * A cluster whose instances know each other through a server. At each {@link BEAT} an instance gives a sign of life,
 * reads the orders, and asks for its leases. Messages about orders and leases only make that faster. A broadcast that is
 * missed is not repeated.
 */
export class RemoteCluster implements SseCluster {
  readonly instance = randomUUID();
  readonly wills: RemoteWills;
  readonly #listeners = new Listeners();
  readonly #leases = new Set<Lease>();
  readonly #orders: RemoteOrders;
  readonly #enrol = coalesced(async () => {
    if (!this.#closing) await this.link.enrol(this.instance);
  });
  readonly #logger = new Logger('SseCluster');
  #beating: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(private readonly link: ClusterLink) {
    this.wills = new RemoteWills(this.instance, link, (call) =>
      this.#answer('The wills of the instances', call),
    );
    this.#orders = new RemoteOrders(this.instance, link, (ordered) =>
      this.#send({ from: this.instance, ordered }),
    );
  }

  /** Joins the other instances. To be awaited before all else; rejects with the server's refusal. */
  async start(): Promise<void> {
    const reconnected = (): void => {
      this.#orders.reconnected();
      this.#beat();
    };
    await this.link.open({ received: (text) => this.#receive(text), reconnected });
    await this.#orders.start();
    await this.#enrol();
    this.#beating = setInterval(() => this.#beat(), BEAT).unref();
  }

  async broadcast(topic: string, message: unknown): Promise<void> {
    await this.#reach(() => this.#send({ from: this.instance, topic, message }));
  }

  listen(topic: string, listener: ClusterListener): () => void {
    return this.#closing ? () => undefined : this.#listeners.add(topic, listener);
  }

  lead(name: string, work: (signal: AbortSignal) => void): () => void {
    if (this.#closing) return () => undefined;
    const lease = new Lease(name, work, this.link);
    this.#leases.add(lease);
    lease.beat();
    return () => void this.#giveBack(lease);
  }

  async order(order: unknown): Promise<void> {
    await this.#reach(() => this.#orders.give(order));
  }

  obey(follower: OrderFollower): () => void {
    return this.#closing ? () => undefined : this.#orders.follow(follower);
  }

  /** Resolves when all orders given before the call were obeyed. Rejects if that is not known. */
  async catchUp(): Promise<void> {
    if (!this.#closing) await giveUpAfter(ANSWER_TIME, this.#orders.catchUp);
  }

  async instances(): Promise<readonly string[]> {
    const { there } = await this.#reach(() => this.link.members());
    return there.includes(this.instance) ? there : [...there, this.instance];
  }

  async away(): Promise<readonly string[]> {
    const { away } = await this.#reach(() => this.link.members());
    return away.filter((instance) => instance !== this.instance);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#leave());
  }

  async #leave(): Promise<void> {
    clearInterval(this.#beating);
    this.#listeners.clear();
    this.#orders.close();
    const given = [...this.#leases].map((lease) => this.#giveBack(lease));
    given.push(this.link.withdraw(this.instance));
    // If that fails, the other instances count this one as dead a little later.
    await giveUpAfter(LEAVE_TIME, () => Promise.allSettled(given)).catch(() => undefined);
    await giveUpAfter(LEAVE_TIME, () => this.link.close()).catch(() => undefined);
  }

  /** Reads the orders although notices tell of them, as a connection that no longer receives looks healthy. */
  #beat(): void {
    if (this.#closing) return;
    const ignored = (): void => undefined; // the next beat tries again
    this.#orders.catchUp().catch(ignored);
    this.#enrol().catch(ignored);
    for (const lease of this.#leases) lease.beat();
  }

  async #giveBack(lease: Lease): Promise<void> {
    if (!this.#leases.delete(lease)) return;
    try {
      if (await lease.stop()) await this.#send({ from: this.instance, released: lease.name });
    } catch {
      // The server is away, and the lease expires. Candidates that missed the message ask at their next beat.
    }
  }

  #send(message: Message): Promise<void> {
    return this.link.send(JSON.stringify(message));
  }

  #receive(text: string): void {
    const message = messageOf(text);
    if (!message) {
      this.#logger.warn(
        'A message on the channel of the instances is not of this package, and is skipped. Does another application use the same prefix?',
      );
    } else if ('released' in message) {
      for (const lease of this.#leases) if (lease.name === message.released) lease.beat();
    } else if ('ordered' in message) {
      this.#orders.receive(message.ordered);
    } else {
      this.#listeners.tell(message.topic, message.message, message.from);
    }
  }

  #reach<T>(call: () => Promise<T>): Promise<T> {
    return this.#answer('The other instances', () => giveUpAfter(ANSWER_TIME, call));
  }

  async #answer<T>(what: string, call: () => Promise<T>): Promise<T> {
    if (this.#closing) throw hubClosed();
    try {
      return await call();
    } catch (cause) {
      if (this.#closing) throw hubClosed();
      throw new SseError('BACKPLANE_AWAY', `${what} cannot be reached: ${reasonOf(cause)}`, { cause });
    }
  }
}

/** Undefined for a text that no instance has sent. */
function messageOf(text: string): Message | undefined {
  const message = objectIn(text) as Partial<Record<string, unknown>> | undefined;
  const { position, text: order } = Object(message?.ordered) as Partial<OrderNotice>;
  const isMessage =
    typeof message?.from === 'string' &&
    (typeof message.topic === 'string' ||
      typeof message.released === 'string' ||
      (typeof position === 'string' && typeof order === 'string'));
  return isMessage ? (message as Message) : undefined;
}
