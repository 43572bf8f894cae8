import type { HistoryOptions } from '../../sse.options.js';

/** How much of a channel is appended at least before something of it is deleted. */
const LEAST = { count: 500, bytes: 256 * 1024, age: 1_000 };

interface Appended {
  readonly offset: number;
  readonly at: number;
}

/**
 * Finds out how far a channel's events can be deleted on the server, from what this process has appended
 * alone: once these fill its history, nothing before them is needed but one, from which its readers know what the
 * oldest follows on. So what the server keeps of a channel is at most twice its history, and as much again for each
 * further process that appends to it.
 */
export class Trim {
  #newest: Appended | undefined;
  /** The one before those that may fill the history. */
  #anchor: Appended | undefined;
  #count = 0;
  #bytes = 0;

  /**
   * Takes in an event that was stored.
   *
   * @returns the offset up to which events can be deleted now, once in a while
   */
  appended(limits: Required<HistoryOptions>, offset: number, at: number, bytes: number): number | undefined {
    const before = this.#newest;
    this.#newest = { offset, at };
    if (!before) return undefined;
    this.#anchor ??= before;
    this.#count++;
    this.#bytes += bytes;
    const isFull =
      this.#count >= Math.max(limits.count, LEAST.count) ||
      this.#bytes >= Math.max(limits.bytes, LEAST.bytes) ||
      at - this.#anchor.at >= Math.max(limits.age, LEAST.age);
    if (!isFull) return undefined;
    const { offset: kept } = this.#anchor;
    this.#anchor = undefined;
    this.#count = this.#bytes = 0;
    return kept - 1;
  }
}
