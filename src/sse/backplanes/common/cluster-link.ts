import { LEASE_TIME } from '../../cluster/cluster.js';

/** Milliseconds between two signs of life: of who is there, of who holds a lease, and of who waits for one. */
export const BEAT = 1_000;

/** Milliseconds for which the server counts on a sign of life. Who waits finds out a beat later at most. */
export const ALIVE = LEASE_TIME - BEAT;

/**
 * Milliseconds, from asking on, for which a holder counts on the server's yes. So much less than the server,
 * that neither a clock that runs slower nor a short pause of the process makes two hold a lease.
 */
export const HELD = ALIVE - 500;

/**
 * What a server does for the instances of an application. Each call rejects when the server cannot be
 * reached or refuses; none waits for a connection that is known to be down.
 */
export interface ClusterLink {
  /** Begins to hear. Resolves when it does. */
  open(events: LinkEvents): Promise<void>;

  /** Sends a text to all who hear. Resolves when the server has it. */
  send(text: string): Promise<void>;

  /**
   * Asks for a lease that nobody has, or goes on with the one that this token has: for {@link ALIVE}
   * from the moment in which the server does it.
   *
   * @param isHeld whether this instance counts on having it
   * @returns whether the token has it
   */
  hold(name: string, token: string, isHeld: boolean): Promise<boolean>;

  /** Gives a lease back if this token has it. No call of `hold` is under way for that token, none follows. */
  release(name: string, token: string): Promise<void>;

  /** Puts an instance on the list, for {@link ALIVE}. */
  enrol(instance: string): Promise<void>;

  withdraw(instance: string): Promise<void>;

  members(): Promise<Members>;

  /** The server's time, in milliseconds. */
  time(): Promise<number>;

  /** Where the log of orders ends. Makes one where there is none. */
  endOfOrders(): Promise<OrderPosition>;

  /**
   * The orders after a position, or all that the log holds, the oldest first; undefined if the log does not
   * hold the order at that position. The newest {@link ORDERS} are kept.
   */
  orders(after?: OrderPosition): Promise<LoggedOrder[] | undefined>;

  /**
   * Adds an order to the log. Works while the server has no room for events.
   *
   * @param known what the caller has read last
   */
  addOrder(text: string, known: OrderPosition | undefined): Promise<AddedOrder>;

  /** Hears nothing more. */
  close(): Promise<void>;
}

export interface Members {
  /** Those that have given a sign of life within {@link ALIVE}. */
  readonly there: string[];
  /** Others that have within {@link AWAY_TIME}, or a little less. */
  readonly away: string[];
}

/**
 * A place in the log of orders. It names the order there, by a mark that another order at this place would not
 * have: so a log that has come back older does not pass for the one before.
 */
export type OrderPosition = string;

export interface AddedOrder {
  readonly position: OrderPosition;
  /** The one directly before it, where that is known. */
  readonly previous: OrderPosition | undefined;
}

export interface LoggedOrder {
  readonly position: OrderPosition;
  /** Empty where something else than an order is, as at the birth of the log. */
  readonly text: string;
}

/** Orders that a log keeps. */
export const ORDERS = 10_000;

export interface LinkEvents {
  heard(text: string): void;
  /** The connection was lost and is there again. */
  reconnected(): void;
}
