/** Milliseconds after which the clocks are compared again. */
const COMPARED_FOR = 30_000;

/** Milliseconds after which a good comparison gives way to a worse one. */
const TRUSTED_FOR = 2 * COMPARED_FOR;

/**
 * The clock of a server, by which its instances tell each other when something was. How far it is ahead of
 * `performance.now()` is known up to the time that an answer takes.
 */
export class SharedClock {
  #least = 0;
  #most = 0;
  #comparedAt = -Infinity;
  #triedAt = -Infinity;

  /** @param ask asks for the server's time, in milliseconds */
  constructor(private readonly ask: () => Promise<number>) {}

  /** Compares the clocks if that was long ago, or `isNew`: it may be another server. */
  async compare(isNew = false): Promise<void> {
    const askedAt = performance.now();
    if (!isNew && askedAt - this.#triedAt < COMPARED_FOR) return;
    const time = await this.ask();
    const answeredAt = performance.now();
    this.#triedAt = answeredAt;
    const isBetter = answeredAt - askedAt <= this.#most - this.#least;
    if (!isNew && !isBetter && answeredAt - this.#comparedAt < TRUSTED_FOR) return;
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
