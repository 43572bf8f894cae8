import { LEASE_TIME } from '../../cluster/cluster.js';

/** Milliseconds between two signs of life of an instance, and between two questions for a lease. */
export const BEAT = 1_000;

/**
 * Milliseconds for which a sign of life or a lease lasts on the server. A candidate asks within a {@link BEAT} after
 * that, so a dead leader is replaced within {@link LEASE_TIME}.
 */
export const ALIVE = LEASE_TIME - BEAT;

/**
 * Milliseconds for which a leader relies on the server's yes, counted from its question. It is less than {@link ALIVE},
 * so that two instances do not lead after a short pause of the process, or if its clock is slow.
 */
export const HELD = ALIVE - 500;

/** The most orders that the log keeps. */
export const ORDERS = 10_000;

/**
 * Port: what a server does for the instances of an application, as {@link RemoteCluster} needs it. A call rejects when
 * the server cannot be reached or refuses. None waits for a connection that is known to be down.
 */
export interface ClusterLink {
  readonly orders: OrderLog;
  readonly wills: WillStore;

  /** Resolves when it receives. */
  open(events: LinkEvents): Promise<void>;

  /** Sends a text to all instances that receive. Resolves when the server has it. */
  send(text: string): Promise<void>;

  /**
   * Gives a token the lease if nobody has it, or renews it if the token has it. It then lasts {@link ALIVE} from the
   * moment in which the server does that.
   *
   * @param as `candidate`: as far as is known the token does not have it. After a restart of the server it may have to
   * wait
   * @returns whether the token has it
   */
  hold(name: string, token: string, as: 'candidate' | 'leader'): Promise<boolean>;

  /** Gives a lease back if this token has it. No `hold()` for the token is under way, and none follows. */
  release(name: string, token: string): Promise<void>;

  /** Puts an instance on the list, for {@link ALIVE}. */
  enrol(instance: string): Promise<void>;

  withdraw(instance: string): Promise<void>;

  members(): Promise<Members>;

  /** The server's time, in milliseconds. */
  time(): Promise<number>;

  /** Receives nothing more. */
  close(): Promise<void>;
}

export interface LinkEvents {
  received(text: string): void;
  /** The connection was lost and is there again. */
  reconnected(): void;
}

export interface Members {
  /** Instances that have given a sign of life within {@link ALIVE}. */
  readonly there: string[];
  /** Others that have within {@link AWAY_TIME}, or a little less. */
  readonly away: string[];
}

/** Port: the log of orders on a server. It works while the server has no room for events. */
export interface OrderLog {
  /** The position at which the log ends. Makes the log if there is none. */
  end(): Promise<OrderPosition>;

  /**
   * The orders after a position, or all, the oldest first; undefined if the log does not hold the order at that
   * position. The newest {@link ORDERS} are kept.
   */
  read(after?: OrderPosition): Promise<LoggedOrder[] | undefined>;

  /** @param known the position up to which the caller has read */
  add(text: string, known: OrderPosition | undefined): Promise<AddedOrder>;
}

/**
 * A position in the log of orders. It has a mark that only the order there has: a log that has come back older does not
 * pass for the one before.
 */
export type OrderPosition = string;

export interface AddedOrder {
  readonly position: OrderPosition;
  /** The position directly before it, if that is known. */
  readonly previous: OrderPosition | undefined;
}

export interface LoggedOrder {
  readonly position: OrderPosition;
  /** Empty if the entry is no order, as at the birth of the log. */
  readonly text: string;
}

/**
 * Port: the wills of the instances on a server, stored as durably as the logs. A call rejects when the server cannot be
 * reached or refuses, and may be repeated.
 */
export interface WillStore {
  put(instance: string, id: string, text: string): Promise<void>;
  has(instance: string, id: string): Promise<boolean>;
  remove(instance: string, id: string): Promise<void>;
  /** The instances that have left wills. */
  owners(): Promise<readonly string[]>;
  /** The texts of one instance's wills, by their ids. */
  of(instance: string): Promise<ReadonlyMap<string, string>>;
}
