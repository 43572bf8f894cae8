/** Milliseconds for which the best comparison of the clocks is trusted; a server's clock may be set back. */
const TRUSTED_FOR = 60_000;

/**
 * A server's clock, as far as its answers tell: it is at least as late there as an answer says. So a
 * deadline in the server's time is never later than the one it stands for.
 */
export class ServerClock {
  #ahead = -Infinity;
  #comparedAt = -Infinity;

  /** An answer with the server's time, in milliseconds, has come. */
  observe(serverTime: number): void {
    const now = performance.now();
    const ahead = serverTime - now;
    if (ahead < this.#ahead && now - this.#comparedAt < TRUSTED_FOR) return;
    this.#ahead = ahead;
    this.#comparedAt = now;
  }

  /** The server's time in so many milliseconds. */
  in(milliseconds: number): number {
    return Math.floor(performance.now() + this.#ahead + milliseconds);
  }
}
