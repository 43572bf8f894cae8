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

  /** Says goodbye: gives back its leases, and is no member any more. May come twice. */
  close(): Promise<void>;
}

/** Injection token of the port. */
export const SseCluster = Symbol('SseCluster');

export type ClusterListener = (message: unknown, from: string) => void;

/** Milliseconds after which an instance that gives no sign of life is taken for dead. */
export const LEASE_TIME = 5_000;
