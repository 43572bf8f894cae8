import type { HistoryOptions } from '../../sse.options.js';

/** The least of a channel that is appended before something of it is deleted. */
const LEAST = { count: 500, bytes: 256 * 1024, age: 1_000 };

/**
 * Says how far a channel's events can be deleted on the server, from the appends of this process alone: once these
 * fill the history, nothing before them is needed but one event, which the oldest follows on. So the server keeps at
 * most twice a channel's history, and as much again for each further process that appends to it.
 */
export class Trim {
  /** The event before those that are counted. */
  #before: { readonly offset: number; readonly at: number } | undefined;
  #count = 0;
  #bytes = 0;

  /**
   * Counts an event that was stored.
   *
   * @returns the offset up to which events can be deleted, whenever those counted have filled the history
   */
  appended(limits: Required<HistoryOptions>, offset: number, at: number, bytes: number): number | undefined {
    const before = this.#before;
    this.#count++;
    this.#bytes += bytes;
    const isFull =
      !before ||
      this.#count >= Math.max(limits.count, LEAST.count) ||
      this.#bytes >= Math.max(limits.bytes, LEAST.bytes) ||
      at - before.at >= Math.max(limits.age, LEAST.age);
    if (!isFull) return undefined;
    this.#before = { offset, at };
    this.#count = this.#bytes = 0;
    return before && before.offset - 1;
  }
}
