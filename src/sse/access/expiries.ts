import type { ConnectionAccess } from './connection-access.js';

/** Milliseconds between two looks at the wall clock: a process is not told when somebody sets it. */
const LOOK = 1_000;

/** A connection that ends at a moment of the wall clock. */
export type Expiring = Pick<ConnectionAccess, 'expired'>;

/**
 * One timer for all that expires; none while nothing does. Expiry follows the wall clock even when that is set: a
 * clock that was set forward is noticed within a second, and one that was set back delays the expiry.
 */
export class Expiries {
  /** When each expires, in milliseconds since 1970. */
  readonly #moments = new Map<Expiring, number>();
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires: `performance.now()`. */
  #looksAt = Infinity;

  /** @param at milliseconds since 1970; `Infinity` for never */
  add(expiring: Expiring, at: number): void {
    if (at === Infinity) return;
    this.#moments.set(expiring, at);
    this.#lookWithin(at - Date.now());
  }

  delete(expiring: Expiring): void {
    if (this.#moments.delete(expiring) && this.#moments.size === 0) this.#sleep();
  }

  #lookWithin(milliseconds: number): void {
    const wait = Math.min(Math.max(milliseconds, 1), LOOK);
    const looksAt = performance.now() + wait;
    if (looksAt >= this.#looksAt) return;
    this.#sleep();
    this.#looksAt = looksAt;
    this.#timer = setTimeout(() => this.#look(), wait);
    this.#timer.unref();
  }

  #sleep(): void {
    clearTimeout(this.#timer);
    this.#looksAt = Infinity;
  }

  #look(): void {
    this.#sleep();
    const now = Date.now();
    let next = Infinity;
    for (const [expiring, at] of this.#moments) {
      if (at > now) {
        next = Math.min(next, at);
      } else {
        this.#moments.delete(expiring);
        expiring.expired();
      }
    }
    if (next < Infinity) this.#lookWithin(next - now);
  }
}
