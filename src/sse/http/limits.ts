/** How many a second: a token bucket, which is refilled evenly and not at the turn of a second. */
export class RateLimit {
  #tokens: number;
  #filledAt = performance.now();

  /**
   * @param perSecond tokens that come back in a second; `Infinity` for no limit
   * @param burst the most there are at once
   */
  constructor(
    private readonly perSecond: number,
    private readonly burst = perSecond,
  ) {
    this.#tokens = burst;
  }

  /** Takes a token, or several. @returns whether there were so many; if not, none is taken */
  take(count = 1): boolean {
    if (this.perSecond === Infinity) return true;
    const now = performance.now();
    const back = ((now - this.#filledAt) / 1_000) * this.perSecond;
    this.#tokens = Math.min(this.#tokens + back, this.burst);
    this.#filledAt = now;
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  /** Milliseconds from the last attempt until there are so many tokens, if nobody takes one before. */
  wait(count: number): number {
    return Math.max(0, Math.ceil(((count - this.#tokens) / this.perSecond) * 1_000));
  }
}

/** How many at once of each key. A key without any is forgotten, so that strangers cannot make it grow. */
export class KeyedLimit {
  readonly #counts = new Map<string, number>();

  constructor(private readonly limit: number) {}

  isReached(key: string): boolean {
    return (this.#counts.get(key) ?? 0) >= this.limit;
  }

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  remove(key: string): void {
    const left = (this.#counts.get(key) ?? 0) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }

  /** The number of keys. */
  get size(): number {
    return this.#counts.size;
  }
}
