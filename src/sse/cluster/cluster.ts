import type { SseWills } from './wills.js';

/**
 * How several instances of one application act as one.
 *
 * An implementation passes the contract suite of this port. It may lose its connection and finds its way
 * back by itself. After `close()` it does nothing more; calls that return a Promise reject with
 * `HUB_CLOSED`.
 */
export interface SseCluster {
  /** The name of this instance, which no other has or had. */
  readonly instance: string;

  /**
   * Sends a JSON value to all instances, this one included. It reaches each that is connected at this
   * moment and listens to the topic, at most once; those of one sender in the order of the calls. Resolves
   * when it is on its way.
   *
   * @throws SseError `BACKPLANE_AWAY`: nobody was reached, or no answer came and nobody knows
   */
  broadcast(topic: string, message: unknown): Promise<void>;

  /**
   * Is told of what is broadcast on a topic from now on, never in the turn of the call that sent it. It does
   * not throw.
   *
   * @returns ends that
   */
  listen(topic: string, listener: ClusterListener): () => void;

  /**
   * Does some work on one instance of all that ask for it under this name, never on two at a time. The one
   * that has the lease works until the signal is aborted: it has lost the lease, or gives it back. After a
   * loss it asks again, and `work` is called anew when it has the lease again. It is called in a later turn
   * and does not throw. Who asks twice, on one instance, is two who ask.
   *
   * When an instance ends without saying so, another takes over within {@link LEASE_TIME}. An instance that
   * was cut off, or frozen, stops before another may begin, as far as it is given any time to run: what was
   * due while a process was frozen may still run once when it goes on, just before the signal is aborted.
   * After the server has lost the leases nobody leads for up to {@link LEASE_TIME}.
   *
   * @returns gives the lease back, for another to take at once; the signal is aborted when it returns
   */
  lead(name: string, work: (signal: AbortSignal) => void): () => void;

  /**
   * The instances that are there, this one included, in no order. One that ended without saying so is gone
   * after {@link LEASE_TIME}.
   *
   * @throws SseError `BACKPLANE_AWAY`
   */
  instances(): Promise<readonly string[]>;

  /**
   * Gives an order, a JSON value, to all instances, this one included: to those that are there, and to those
   * that are away when they are back. Orders are kept in a log, which each instance reads on from where it
   * was, so none is lost; one may come twice. Resolves when the log holds the order. Where the log loses it
   * later, as a server may that came back older, this instance gives it again for as long as it is there.
   *
   * @throws SseError `BACKPLANE_AWAY`: the log may hold it or not. Give it again
   */
  order(order: unknown): Promise<void>;

  /**
   * Is told of the orders that are given from the moment on in which this instance has joined, in the order of
   * the log, and never in the turn of the call that gave one. After the connection was lost it is told before
   * the backplane that goes with this cluster hands anything on, and at any time within about a second.
   *
   * @returns ends that
   */
  obey(follower: OrderFollower): () => void;

  /**
   * The instances that were there within {@link AWAY_TIME}, have said no goodbye, and are not there now: they
   * may have ended, or have lost their connection.
   *
   * @throws SseError `BACKPLANE_AWAY`
   */
  away(): Promise<readonly string[]>;

  /** Says goodbye: gives back its leases, and is no member any more. May come twice. */
  close(): Promise<void>;

  /** Instances leave here what others are to do when they end without a word. */
  readonly wills: SseWills;
}

/** Injection token of the port. */
export const SseCluster = Symbol('SseCluster');

export type ClusterListener = (message: unknown, from: string) => void;

/** Is told of orders. It does not throw. */
export interface OrderFollower {
  /**
   * @param at when it was given, as `performance.now()` of this process has it: rather too late than too early,
   * by a few milliseconds
   * @param from the instance that gave it
   */
  given(order: unknown, at: number, from: string): void;
  /** There were orders that the log does not hold any more, or may have been: nobody knows which. */
  missed(): void;
}

/** Milliseconds for which an instance that is not there any more, and has not said goodbye, counts as away. */
export const AWAY_TIME = 5 * 60_000;

/** Milliseconds after which an instance that gives no sign of life is taken for dead. */
export const LEASE_TIME = 5_000;
