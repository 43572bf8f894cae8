/** Milliseconds for which the best comparison of the clocks is trusted; a server's clock may be set back. */
const TRUSTED_FOR = 60_000;

/** Milliseconds after which the clocks are compared again. */
const COMPARED_FOR = 30_000;

/**
 * Knows from answers how late it is at least on the server. So a deadline in the server's time is never later than
 * the one it stands for.
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

/** Knows how far a server's clock is ahead of `performance.now()`, up to the time that an answer takes. */
export class SharedClock {
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
  shared(local: number): number {
    return local + this.#most;
  }

  /** The moment of this process at a time of the server: rather too late than too early. */
  local(shared: number): number {
    return shared - this.#least;
  }
}
