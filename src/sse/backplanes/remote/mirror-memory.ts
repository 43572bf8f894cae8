import type { LogMirror } from './log-mirror.js';

/**
 * How much the mirrors of a process hold together. When it is too much, the one that has been idle longest
 * is emptied first, as far as the newest entry: what it had is on the server all the same.
 */
export class MirrorMemory {
  /** The bytes of each, the one that grew longest ago first. */
  readonly #bytes = new Map<LogMirror, number>();
  #total = 0;

  constructor(
    /** Bytes of all together. */
    private readonly limit: number,
  ) {}

  /** A mirror holds so many bytes now. */
  holds(mirror: LogMirror, bytes: number): void {
    const before = this.#bytes.get(mirror) ?? 0;
    if (bytes === before) return;
    if (bytes > before) this.#bytes.delete(mirror);
    this.#bytes.set(mirror, bytes);
    this.#total += bytes - before;
    if (bytes > before) this.#makeRoom(mirror);
  }

  forget(mirror: LogMirror): void {
    this.#total -= this.#bytes.get(mirror) ?? 0;
    this.#bytes.delete(mirror);
  }

  #makeRoom(current: LogMirror): void {
    for (const [mirror, bytes] of this.#bytes) {
      if (this.#total <= this.limit) return;
      mirror.shrink(mirror === current ? bytes - (this.#total - this.limit) : 0);
    }
  }
}
