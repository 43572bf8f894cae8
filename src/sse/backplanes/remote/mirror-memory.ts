/** A mirror, as far as its size goes. */
interface Holder {
  /** Lets go of the oldest entries until the others have at most so many bytes; the newest stays. */
  shrink(bytes: number): void;
}

/**
 * How much the mirrors of a process hold together. When it is too much, the one that has been idle longest
 * gives up all but its newest entry first. What it had is on the server all the same.
 */
export class MirrorMemory {
  readonly #bytes = new Map<Holder, number>();
  /** Those that can give something up, the one that grew longest ago first. */
  readonly #recent = new Set<Holder>();
  #total = 0;

  constructor(
    /** Bytes of all together. */
    private readonly limit: number,
  ) {}

  /** A mirror holds so many bytes now. */
  holds(mirror: Holder, bytes: number): void {
    const before = this.#bytes.get(mirror) ?? 0;
    this.#bytes.set(mirror, bytes);
    this.#total += bytes - before;
    if (bytes <= before) return;
    this.#recent.delete(mirror);
    this.#recent.add(mirror);
    this.#makeRoom(mirror);
  }

  forget(mirror: Holder): void {
    this.#total -= this.#bytes.get(mirror) ?? 0;
    this.#bytes.delete(mirror);
    this.#recent.delete(mirror);
  }

  #makeRoom(current: Holder): void {
    for (const mirror of this.#recent) {
      const tooMuch = this.#total - this.limit;
      if (tooMuch <= 0) return;
      if (mirror === current) return mirror.shrink((this.#bytes.get(mirror) ?? 0) - tooMuch);
      this.#recent.delete(mirror);
      mirror.shrink(0);
    }
  }
}
