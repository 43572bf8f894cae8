import type { HistoryOptions } from '../../sse.options.js';

/** The least of a channel that is appended before something of it is deleted. */
const LEAST = { count: 500, bytes: 256 * 1024, age: 1_000 };

interface Appended {
  readonly offset: number;
  readonly at: number;
}

/**
 * Finds out how far a channel's events can be deleted on the server, from the appends of this process alone: once these
 * fill the history, nothing before them is needed but one event, which the oldest follows on. So the server keeps at
 * most twice a channel's history, and as much again for each further process that appends to it.
 */
export class Trim {
  #newest: Appended | undefined;
  /** The one before those that may fill the history. */
  #before: Appended | undefined;
  #count = 0;
  #bytes = 0;

  /**
   * Takes in an event that was stored.
   *
   * @returns the offset up to which events can be deleted now, once in a while
   */
  appended(limits: Required<HistoryOptions>, offset: number, at: number, bytes: number): number | undefined {
    const previous = this.#newest;
    this.#newest = { offset, at };
    if (!previous) return undefined;
    this.#before ??= previous;
    this.#count++;
    this.#bytes += bytes;
    const isFull =
      this.#count >= Math.max(limits.count, LEAST.count) ||
      this.#bytes >= Math.max(limits.bytes, LEAST.bytes) ||
      at - this.#before.at >= Math.max(limits.age, LEAST.age);
    if (!isFull) return undefined;
    const { offset: kept } = this.#before;
    this.#before = undefined;
    this.#count = this.#bytes = 0;
    return kept - 1;
  }
}
