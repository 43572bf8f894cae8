import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { OrderFollower } from '../../cluster/cluster.js';
import type { ClusterLink, OrderPosition } from './cluster-link.js';
import { objectIn } from './event-text.js';
import { Followers } from './followers.js';
import { BoundedClock } from './server-clock.js';
import { coalesced } from './tasks.js';

/** The most orders of its own that an instance remembers, to give them again. */
const REMEMBERED = 1_000;

/** The most milliseconds that an order can take on its way to the log. */
const LONGEST_WAY = 5_000;

/** An order as the log has it. */
interface Order {
  readonly id: string;
  /** The instance that gave it. */
  readonly from: string;
  /** When it was given, by the server's clock. */
  readonly at: number;
  /** Whether the log had it before, and lost it. */
  readonly again?: true;
  readonly order: unknown;
}

/** Sent to the other instances with an order that was added to the log, so that they need not read it. */
export interface OrderNotice {
  /** The position directly before it, if its giver knows that. */
  readonly previous?: OrderPosition | undefined;
  readonly position: OrderPosition;
  readonly text: string;
}

/** An order that this instance has given. */
interface Given {
  readonly order: unknown;
  /** When: `performance.now()`. */
  readonly at: number;
  /** When the server said that the log has it; `Infinity` until then. */
  loggedAt: number;
  /** Whether it was read in the log since. */
  isSeen: boolean;
}

/**
 * The orders of all instances are a log on a server, which each instance reads on from its position. Notices make that
 * faster; what they miss is read a second later.
 *
 * A position that the log does not hold is a gap: the log came back older, was emptied, or has let go of it. Each
 * instance then gives those of its own orders again that the log does not hold.
 */
export class RemoteOrders {
  readonly #followers = new Followers<OrderFollower>();
  /** The newest last. */
  readonly #given = new Map<string, Given>();
  readonly #clock: BoundedClock;
  /** The position up to which the log was read; from a gap until the log is known again, the time of the gap. */
  #at: { readonly position: OrderPosition } | { readonly lostAt: number } = { lostAt: 0 };
  /** When the last complete read began, by `performance.now()`: an order that is read later was not in the log then. */
  #readBeganAt = 0;
  /** `other`: since the last read there is a new connection, perhaps to another server. */
  #server: 'same' | 'other' = 'same';
  readonly #logger = new Logger('SseCluster');

  /** Reads on. Resolves when all was read that was in the log at the call. */
  readonly catchUp = coalesced(() => this.#readOn());

  constructor(
    private readonly instance: string,
    private readonly link: ClusterLink,
    private readonly tell: (notice: OrderNotice) => Promise<void>,
  ) {
    this.#clock = new BoundedClock(() => link.time());
  }

  /** Notes where the log ends: orders that are given from then on are read. */
  async start(): Promise<void> {
    await this.#clock.compare();
    this.#readBeganAt = performance.now();
    this.#at = { position: await this.link.orders.end() };
  }

  follow(follower: OrderFollower): () => void {
    return this.#followers.add(follower);
  }

  /** Resolves when the log has it. */
  async give(order: unknown): Promise<void> {
    const text = JSON.stringify(order); // as it is at the call
    const given = {
      order: JSON.parse(text) as unknown,
      at: performance.now(),
      loggedAt: Infinity,
      isSeen: false,
    };
    const id = randomUUID();
    this.#remember(id, given);
    try {
      await this.#add(id, given, {});
    } catch (error) {
      this.#given.delete(id); // its giver is told, and gives it anew
      throw error;
    }
  }

  receive({ previous, position, text }: OrderNotice): void {
    const isNext = previous !== undefined && previous === this.#position;
    if (!isNext || this.#server === 'other') {
      this.catchUp().catch(() => undefined);
      return;
    }
    this.#at = { position };
    this.#take(text);
  }

  reconnected(): void {
    this.#server = 'other';
  }

  close(): void {
    this.#followers.clear();
    this.#given.clear();
  }

  async #readOn(): Promise<void> {
    const beganAt = performance.now();
    const server = this.#server;
    await this.#clock.compare(server);
    if (server === 'other') this.#server = 'same';
    const position = this.#position;
    const orders = position === undefined ? undefined : await this.link.orders.read(position);
    if (orders) {
      // Notices may have told of the first of them meanwhile, or of all and more.
      const told = orders.findIndex((order) => order.position === this.#position);
      const rest = this.#position === position ? orders : told < 0 ? [] : orders.slice(told + 1);
      for (const order of rest) {
        this.#at = { position: order.position };
        this.#take(order.text);
      }
    } else {
      await this.#startAnew();
    }
    this.#readBeganAt = beganAt;
    await this.#giveAgain(beganAt);
  }

  /** The log does not hold what was read last. */
  async #startAnew(): Promise<void> {
    if ('position' in this.#at) {
      this.#at = { lostAt: performance.now() };
      this.#logger.warn(
        'Calls of revoke() and disconnect() on other instances may not have reached this one, as the server no longer has the last of them. All streams of this instance are ended, so that access is asked about anew when their clients come back.',
      );
      this.#followers.tell((follower) => follower.missed());
    }
    const { lostAt } = this.#at as { lostAt: number };
    const end = await this.link.orders.end();
    const orders = (await this.link.orders.read()) ?? [];
    for (const given of this.#given.values()) given.isSeen = false;
    this.#at = { position: orders.at(-1)?.position ?? end };
    for (const { text } of orders) {
      const order = orderOf(text);
      this.#see(order);
      // Streams that were open before have been ended.
      if (order && this.#clock.toLocal(order.at) >= lostAt) this.#take(text);
    }
  }

  /** Gives those orders again that were in the log once and no longer are. */
  async #giveAgain(readAt: number): Promise<void> {
    for (const [id, given] of this.#given)
      if (!given.isSeen && given.loggedAt < readAt) await this.#add(id, given, { again: true });
  }

  async #add(id: string, given: Given, again: Pick<Order, 'again'>): Promise<void> {
    const { order } = given;
    const at = this.#clock.toServer(given.at);
    const text = JSON.stringify({ id, from: this.instance, at, order, ...again } satisfies Order);
    // After a reconnection it may be another log.
    const known = this.#server === 'other' ? undefined : this.#position;
    const added = await this.link.orders.add(text, known);
    given.loggedAt = performance.now();
    // An instance that does not receive it reads it a little later.
    this.tell({ ...added, text }).catch(() => undefined);
  }

  get #position(): OrderPosition | undefined {
    return 'position' in this.#at ? this.#at.position : undefined;
  }

  #remember(id: string, given: Given): void {
    this.#given.set(id, given);
    for (const oldest of this.#given.keys()) {
      if (this.#given.size <= REMEMBERED) break;
      this.#given.delete(oldest);
    }
  }

  #take(text: string): void {
    const order = orderOf(text);
    if (!order) return;
    this.#see(order);
    const now = performance.now();
    // However wrong a clock is: the last read did not find it, and it was on its way for at most LONGEST_WAY.
    const earliest = order.again ? -Infinity : this.#readBeganAt - LONGEST_WAY;
    const at = Math.min(Math.max(this.#clock.toLocal(order.at), earliest), now);
    this.#followers.tell((follower) => follower.given(order.order, at, order.from));
  }

  #see(order: Order | undefined): void {
    const given = order && this.#given.get(order.id);
    if (given) given.isSeen = true;
  }
}

/** Undefined for a text that is no order, as at the birth of a log. */
function orderOf(text: string): Order | undefined {
  const order = objectIn(text) as Partial<Order> | undefined;
  const isOrder =
    typeof order?.id === 'string' && typeof order.from === 'string' && typeof order.at === 'number';
  return isOrder ? (order as Order) : undefined;
}
