import type { HistoryOptions } from '../../sse.options.js';

/** How much of a channel is appended at least before something of it is deleted. */
const LEAST = { count: 500, bytes: 256 * 1024, age: 1_000 };

/**
 * Finds out how far a channel's events can be deleted on the server, from what this process has appended
 * alone: once these fill its history, nothing before them is needed. So what the server keeps of a channel
 * is at most twice its history, and as much again for each further process that appends to it.
 */
export class Trim {
  /** What comes up to here is to be deleted, when a message that says so is stored. */
  upTo = 0;
  #deleted = 0;
  /** The first of the events that may fill the history. */
  #first: { readonly offset: number; readonly at: number } | undefined;
  #count = 0;
  #bytes = 0;

  /**
   * Takes in an event that was stored.
   *
   * @param said the `upTo` that its message says
   * @returns the offset up to which events are to be deleted now, once in a while
   */
  appended(
    limits: Required<HistoryOptions>,
    offset: number,
    at: number,
    bytes: number,
    said: number,
  ): number | undefined {
    this.#first ??= { offset, at };
    this.#count++;
    this.#bytes += bytes;
    const isFull =
      this.#count >= Math.max(limits.count, LEAST.count) ||
      this.#bytes >= Math.max(limits.bytes, LEAST.bytes) ||
      at - this.#first.at >= Math.max(limits.age, LEAST.age);
    if (isFull) {
      this.upTo = Math.max(this.upTo, this.#first.offset - 1);
      this.#first = undefined;
      this.#count = this.#bytes = 0;
    }
    if (said <= this.#deleted) return undefined;
    this.#deleted = said;
    return said;
  }
}
