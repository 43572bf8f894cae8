/** A local copy, as far as its size goes. */
interface Holder {
  /** Lets go of the oldest entries until the others have at most so many bytes; the newest stays. */
  shrink(bytes: number): void;
}

/**
 * How much the local copies of a process hold together. When it is too much, the one that grew longest ago gives up all
 * but its newest entry first. All that it had is still on the server.
 */
export class CopyMemory {
  readonly #bytes = new Map<Holder, number>();
  /** Copies that can give something up, the one that grew longest ago first. */
  readonly #recent = new Set<Holder>();
  #total = 0;

  constructor(
    /** Bytes of all together. */
    private readonly limit: number,
  ) {}

  /** A copy holds so many bytes now. */
  holds(copy: Holder, bytes: number): void {
    const before = this.#bytes.get(copy) ?? 0;
    this.#bytes.set(copy, bytes);
    this.#total += bytes - before;
    if (bytes <= before) return;
    this.#recent.delete(copy);
    this.#recent.add(copy);
    this.#makeRoom(copy);
  }

  forget(copy: Holder): void {
    this.#total -= this.#bytes.get(copy) ?? 0;
    this.#bytes.delete(copy);
    this.#recent.delete(copy);
  }

  #makeRoom(current: Holder): void {
    for (const copy of this.#recent) {
      const tooMuch = this.#total - this.limit;
      if (tooMuch <= 0) return;
      if (copy === current) return copy.shrink((this.#bytes.get(copy) ?? 0) - tooMuch);
      this.#recent.delete(copy);
      copy.shrink(0);
    }
  }
}
