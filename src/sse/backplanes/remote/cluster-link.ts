import { LEASE_TIME } from '../../hub/instances/cluster.js';

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

  members(): Promise<string[]>;

  /** Hears nothing more. */
  close(): Promise<void>;
}

export interface LinkEvents {
  heard(text: string): void;
  /** The connection was lost and is there again. */
  reconnected(): void;
}
