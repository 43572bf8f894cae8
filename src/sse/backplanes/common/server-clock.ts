/** Milliseconds for which the best comparison of the clocks is trusted, as a server's clock may be set back. */
const TRUSTED_FOR = 60_000;

/** Milliseconds after which the clocks are compared again. */
const COMPARED_FOR = 30_000;

/**
 * An estimate of the server's time that is never ahead of it, as an answer is made before it arrives. So a deadline by
 * it is too early rather than too late.
 */
export class LowerBoundClock {
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

/**
 * The server's time, known to within the duration of one call: for the times of orders, which are compared with times of
 * this process.
 */
export class BoundedClock {
  #least = 0;
  #most = 0;
  #comparedAt = -Infinity;
  #triedAt = -Infinity;

  /** @param ask asks for the server's time, in milliseconds */
  constructor(private readonly ask: () => Promise<number>) {}

  /** Compares the clocks if that was long ago, or the server may be another one. */
  async compare(server: 'same' | 'other' = 'same'): Promise<void> {
    const askedAt = performance.now();
    if (server === 'same' && askedAt - this.#triedAt < COMPARED_FOR) return;
    const time = await this.ask();
    const answeredAt = performance.now();
    this.#triedAt = answeredAt;
    const isBetter = answeredAt - askedAt <= this.#most - this.#least;
    if (server === 'same' && !isBetter && answeredAt - this.#comparedAt < TRUSTED_FOR) return;
    this.#least = time - answeredAt;
    this.#most = time - askedAt;
    this.#comparedAt = answeredAt;
  }

  /** The server's time at a moment of this process: rather too late than too early. */
  toServer(local: number): number {
    return local + this.#most;
  }

  /** The moment of this process at a time of the server: rather too late than too early. */
  toLocal(server: number): number {
    return server - this.#least;
  }
}
