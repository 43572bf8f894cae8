/**
 * Wall time that never goes back, for `age` and `ttl`: they compare the present with a time that perhaps an earlier
 * process has stored.
 *
 * - It passes as real time does. If a wall clock that was set back stopped it, everything would be kept longer by as
 *   much.
 * - It is never behind the wall clock. `performance.now()` stands still while the machine sleeps, and a machine without a
 *   battery starts in 1970; events stored with such a time would have expired at the next start. A wall clock that was
 *   set forward by mistake looks the same, and is believed.
 * - It is of this process. Times that other processes compare need the clock of a server.
 *
 * Each owner of logs has its own.
 */
export class Clock {
  /** Added to `performance.now()`. It only grows. */
  #offset: number;

  /** @param notBefore the newest time that was stored: milliseconds since 1970 */
  constructor(notBefore = 0) {
    this.#offset = notBefore - performance.now();
  }

  /** @returns whole milliseconds since 1970, at least those of `Date.now()` */
  now(): number {
    const elapsed = performance.now();
    this.#offset = Math.max(this.#offset, Date.now() - elapsed);
    return Math.floor(elapsed + this.#offset);
  }
}
