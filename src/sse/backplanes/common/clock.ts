/**
 * Wall time that never goes back, for `age` and `ttl`, where a time that perhaps an earlier process has stored is
 * compared with now.
 *
 * - It passes as real time does. A wall clock that was set back does not stop it, or everything would be kept longer by
 *   as much.
 * - It is never behind the wall clock. Real time stands still while the machine sleeps, and a machine without a
 *   battery starts in 1970; what is stored with such a time would have expired at the next start. A wall clock that
 *   was set forward by mistake cannot be told from that, and is believed.
 * - It is of this process: what others compare with needs the clock of a server.
 *
 * Each owner of logs has one of its own.
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
