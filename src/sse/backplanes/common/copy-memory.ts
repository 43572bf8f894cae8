import type { LocalCopy } from './local-copy.js';

/**
 * Limits the bytes of all local copies of a process together. Beyond the limit, the copy that grew longest ago first
 * gives up all but its newest entry. The server still has what a copy gives up.
 */
export class CopyMemory {
  readonly #bytes = new Map<LocalCopy, number>();
  /** Copies that have something to give up, the one that grew longest ago first. */
  readonly #recent = new Set<LocalCopy>();
  #total = 0;

  constructor(
    /** Bytes of all copies together. */
    private readonly limit: number,
  ) {}

  /** A copy holds so many bytes now. */
  holds(copy: LocalCopy, bytes: number): void {
    const before = this.#bytes.get(copy) ?? 0;
    this.#bytes.set(copy, bytes);
    this.#total += bytes - before;
    if (bytes <= before) return;
    this.#recent.delete(copy);
    this.#recent.add(copy);
    this.#makeRoom(copy);
  }

  forget(copy: LocalCopy): void {
    this.#total -= this.#bytes.get(copy) ?? 0;
    this.#bytes.delete(copy);
    this.#recent.delete(copy);
  }

  #makeRoom(current: LocalCopy): void {
    for (const copy of this.#recent) {
      const tooMuch = this.#total - this.limit;
      if (tooMuch <= 0) return;
      if (copy === current) return copy.shrink((this.#bytes.get(copy) ?? 0) - tooMuch);
      this.#recent.delete(copy);
      copy.shrink(0);
    }
  }
}
