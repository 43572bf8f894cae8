/**
 * A token bucket: lets so many through in a second, and as many at once. Tokens come back evenly, not all at
 * the turn of a second.
 */
export class TokenBucket {
  #tokens: number;
  #filledAt = performance.now();

  /** @param perSecond tokens that come back in a second, and the most there are; `Infinity` for no limit */
  constructor(private readonly perSecond: number) {
    this.#tokens = perSecond;
  }

  /** Takes a token. @returns whether there was one */
  take(): boolean {
    if (this.perSecond === Infinity) return true;
    const now = performance.now();
    const back = ((now - this.#filledAt) / 1_000) * this.perSecond;
    this.#tokens = Math.min(this.#tokens + back, this.perSecond);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
