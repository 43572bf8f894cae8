import type { ConnectionAccess } from './connection-access.js';

/** Milliseconds after which the wall clock is looked at again: nobody tells a process when it is set. */
const LOOK = 1_000;

/** A connection that ends at a moment of the wall clock. */
export type Expiring = Pick<ConnectionAccess, 'expired'>;

/**
 * One timer for all that expires; none while nothing does. A moment is what the wall clock says it is, also where
 * that is set meanwhile: forward, it comes within a second; back, it comes later.
 */
export class Expiries {
  /** By milliseconds since 1970. */
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
