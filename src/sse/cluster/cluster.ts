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
   * Sends a JSON value to all instances, this one included. Each instance that is connected at this moment and listens
   * to the topic gets it at most once; messages of one sender arrive in the order of the calls. Resolves when it is on
   * its way.
   *
   * @throws SseError `BACKPLANE_AWAY`: no instance was reached, or no answer came and some may have been
   */
  broadcast(topic: string, message: unknown): Promise<void>;

  /**
   * Calls the listener for each message on a topic from now on, never in the turn of the call that sent it. The
   * listener does not throw.
   *
   * @returns ends the listening
   */
  listen(topic: string, listener: ClusterListener): () => void;

  /**
   * Does some work on one instance of all that ask for it under this name, never on two at a time. The instance that has
   * the lease works until the signal is aborted, when it has lost the lease or gives it back. After a loss it asks
   * again, and `work` is called anew once it has the lease again. `work` is called in a later turn and does not throw.
   * Two calls on one instance count as two candidates.
   *
   * When an instance is killed, another takes over within {@link LEASE_TIME}. An instance that was cut off or frozen stops
   * before another begins, as far as it gets any time to run: a timer that was due while the process was frozen may
   * still run once when it goes on, just before the signal is aborted. After the server has lost the leases nobody
   * leads for up to {@link LEASE_TIME}.
   *
   * @returns gives the lease back, for another to take at once; the signal is aborted when it returns
   */
  lead(name: string, work: (signal: AbortSignal) => void): () => void;

  /**
   * The instances that are there, this one included, in no order. One that was killed is gone after
   * {@link LEASE_TIME}.
   *
   * @throws SseError `BACKPLANE_AWAY`
   */
  instances(): Promise<readonly string[]>;

  /**
   * Gives an order, a JSON value, to all instances, this one included: to those that are away when they are back. Orders
   * are kept in a log, which each instance reads on from its position, so none is lost; one may come twice. Resolves
   * when the log holds the order. If the log loses it later, as on a server that was restored from an older copy, this
   * instance gives it again for as long as it runs.
   *
   * @throws SseError `BACKPLANE_AWAY`: the log may hold it or not. Give it again
   */
  order(order: unknown): Promise<void>;

  /**
   * Calls the follower for each order that was given since this instance joined, in the order of the log, and never in
   * the turn of the call that gave one. After an outage it is called before the cluster's backplane hands anything on,
   * and otherwise within about a second.
   *
   * @returns ends the following
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
