import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { ClusterListener, OrderFollower, SseCluster } from '../../cluster/cluster.js';
import { hubClosed, reasonOf, SseError } from '../../sse.errors.js';
import { Listeners } from './listeners.js';
import { BEAT, type ClusterLink } from './cluster-link.js';
import { Lease } from './lease.js';
import { RemoteOrders, type OrderNotice } from './remote-orders.js';
import { RemoteWills } from './remote-wills.js';
import type { WillStore } from './will-store.js';

/** Milliseconds within which a call that waits for the server is answered. */
const ANSWER_TIME = 5_000;

/** Milliseconds for which a goodbye waits for the server. */
const GOODBYE_TIME = 1_000;

/** What goes from instance to instance: a message on a topic, that a lease was given back, or an order. */
type Letter = { readonly from: string } & (
  | { readonly topic: string; readonly message: unknown }
  | { readonly released: string }
  | { readonly ordered: OrderNotice }
);

/** A cluster whose instances know of each other by a server. */
export class RemoteCluster implements SseCluster {
  readonly instance = randomUUID();
  readonly wills: RemoteWills;
  readonly #listeners = new Listeners();
  readonly #leases = new Set<Lease>();
  readonly #orders: RemoteOrders;
  readonly #logger = new Logger('SseCluster');
  #beating: NodeJS.Timeout | undefined;
  #isEnrolling = false;
  #closing: Promise<void> | undefined;

  constructor(
    private readonly link: ClusterLink,
    wills: WillStore,
  ) {
    this.wills = new RemoteWills(this.instance, wills, async () => (await this.link.members()).there);
    this.#orders = new RemoteOrders(this.instance, link, (ordered) =>
      this.#send({ from: this.instance, ordered }),
    );
  }

  /** Joins the others; to be awaited before all else. Rejects with what the server has against it. */
  async start(): Promise<void> {
    const reconnected = (): void => {
      this.#orders.reconnected();
      this.#beat();
    };
    await this.link.open({ heard: (text) => this.#hear(text), reconnected });
    await this.#orders.start();
    await this.link.enrol(this.instance);
    this.#beating = setInterval(() => this.#beat(), BEAT).unref();
  }

  async broadcast(topic: string, message: unknown): Promise<void> {
    await this.#answer(() => this.#send({ from: this.instance, topic, message }));
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
    await this.#answer(() => this.#orders.give(order));
  }

  obey(follower: OrderFollower): () => void {
    return this.#closing ? () => undefined : this.#orders.follow(follower);
  }

  /** Resolves when all orders were obeyed that had been given by the time of the call. Rejects while that is not known. */
  async catchUp(): Promise<void> {
    if (!this.#closing) await within(ANSWER_TIME, this.#orders.read());
  }

  async instances(): Promise<readonly string[]> {
    const { there } = await this.#answer(() => this.link.members());
    return there.includes(this.instance) ? there : [...there, this.instance];
  }

  async away(): Promise<readonly string[]> {
    const { away } = await this.#answer(() => this.link.members());
    return away.filter((instance) => instance !== this.instance);
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#leave());
  }

  async #leave(): Promise<void> {
    clearInterval(this.#beating);
    this.wills.close();
    this.#listeners.clear();
    this.#orders.close();
    const goodbyes = [...this.#leases].map((lease) => this.#giveBack(lease));
    goodbyes.push(this.link.withdraw(this.instance));
    // Who cannot be told takes this instance for dead a little later.
    await within(GOODBYE_TIME, Promise.allSettled(goodbyes)).catch(() => undefined);
    await within(GOODBYE_TIME, this.link.close()).catch(() => undefined);
  }

  /** A sign of life, a look at the orders, as a deaf connection looks healthy, and a question for each lease. */
  #beat(): void {
    if (this.#closing) return;
    this.#orders.read().catch(() => undefined); // the next beat tries again
    for (const lease of this.#leases) lease.beat();
    if (this.#isEnrolling) return;
    this.#isEnrolling = true;
    const enrolled = this.link.enrol(this.instance).catch(() => undefined); // the next beat tries again
    void enrolled.then(() => {
      this.#isEnrolling = false;
    });
  }

  async #giveBack(lease: Lease): Promise<void> {
    if (!this.#leases.delete(lease)) return;
    try {
      if (await lease.stop()) await this.#send({ from: this.instance, released: lease.name });
    } catch {
      // The server is away, and the lease expires. Those who missed the letter ask at their next beat.
    }
  }

  #send(letter: Letter): Promise<void> {
    return this.link.send(JSON.stringify(letter));
  }

  #hear(text: string): void {
    const letter = letterOf(text);
    if (!letter) {
      this.#logger.warn('Something that no instance sends came by. Does somebody else use this prefix?');
    } else if ('released' in letter) {
      for (const lease of this.#leases) if (lease.name === letter.released) lease.beat();
    } else if ('ordered' in letter) {
      this.#orders.hear(letter.ordered);
    } else {
      this.#listeners.tell(letter.topic, letter.message, letter.from);
    }
  }

  async #answer<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closing) throw hubClosed();
    try {
      return await within(ANSWER_TIME, call());
    } catch (cause) {
      if (this.#closing) throw hubClosed();
      const reason = reasonOf(cause);
      throw new SseError('BACKPLANE_AWAY', `The other instances cannot be reached: ${reason}`, { cause });
    }
  }
}

async function within<T>(milliseconds: number, outcome: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the server did not answer within ${milliseconds} ms`));
    }, milliseconds);
  });
  try {
    return await Promise.race([outcome, late]);
  } finally {
    clearTimeout(timer);
  }
}

function letterOf(text: string): Letter | undefined {
  try {
    const letter = JSON.parse(text) as Partial<Record<string, unknown>> | null;
    const isLetter =
      typeof letter?.from === 'string' &&
      (typeof letter.topic === 'string' ||
        typeof letter.released === 'string' ||
        isNotice(letter.ordered as Partial<OrderNotice> | null | undefined));
    return isLetter ? (letter as Letter) : undefined;
  } catch {
    return undefined;
  }
}

const isNotice = (notice: Partial<OrderNotice> | null | undefined): boolean =>
  typeof notice?.position === 'string' && typeof notice.text === 'string';
