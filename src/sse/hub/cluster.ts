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
   * moment, at most once; those of one sender in their order.
   *
   * @throws SseError `BACKPLANE_AWAY`: nobody was reached
   */
  broadcast(message: unknown): Promise<void>;

  /**
   * Is told of what is broadcast from now on. It does not throw.
   *
   * @returns ends that
   */
  listen(listener: (message: unknown, from: string) => void): () => void;

  /**
   * Does some work on one instance of all that ask for it under this name. The one that has the lease
   * works until the signal is aborted: it has lost the lease, or stops. When an instance ends without
   * saying so, another takes over within {@link LEASE_TIME}. An instance that was cut off, or frozen, stops
   * before another may begin, as far as it is given any time to run.
   *
   * @returns gives the lease back, for another to take at once
   */
  lead(name: string, work: (signal: AbortSignal) => void): () => void;

  /** The instances that are there, this one included. One that ended without saying so is gone after {@link LEASE_TIME}. */
  instances(): Promise<readonly string[]>;

  /** Says goodbye: gives back its leases, and is no member any more. May come twice. */
  close(): Promise<void>;
}

/** Injection token of the port. */
export const SseCluster = Symbol('SseCluster');

/** Milliseconds after which an instance that gives no sign of life is taken for dead. */
export const LEASE_TIME = 5_000;
