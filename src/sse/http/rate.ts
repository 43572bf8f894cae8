/**
 * A token bucket: lets so many through in a second, and so many at once. Tokens come back evenly, not all at
 * the turn of a second.
 */
export class TokenBucket {
  #tokens: number;
  #filledAt = performance.now();

  /**
   * @param perSecond tokens that come back in a second; `Infinity` for no limit
   * @param burst the most there are
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

  /** Milliseconds until there are so many tokens, as of the last attempt, if nobody takes any before. */
  wait(count: number): number {
    return Math.max(0, Math.ceil(((count - this.#tokens) / this.perSecond) * 1_000));
  }
}
