import { Logger } from '@nestjs/common';
import type { LatestPolicy } from '../sse.options.js';
import type { EventLog, LogEntry } from './event-log.js';
import type { SseEvent } from './sse-event.js';

/** Keys that are remembered. With one more, the key that was published to longest ago is dropped. */
const MAX_KEYS = 10_000;

/** The newest event of each key, also where the log has no room for it any more. */
export class LatestIndex {
  /** In the order of the offsets. */
  readonly #newest = new Map<unknown, LogEntry>();
  #floor: number;
  /** Entries up to this offset were taken in. */
  #upTo: number;

  constructor(
    private readonly policy: LatestPolicy,
    private readonly log: EventLog,
    private readonly eventOf: (entry: LogEntry) => SseEvent,
  ) {
    this.#floor = this.#upTo = log.floor.offset;
    this.#takeIn();
  }

  /** After this offset the index is complete: it has the newest event of every key. */
  get floor(): number {
    return Math.max(this.#floor, this.log.clearedAt);
  }

  add(entry: LogEntry): void {
    if (entry.offset <= this.#upTo) return;
    this.#upTo = entry.offset;
    const key = this.#keyOf(entry);
    this.#newest.delete(key);
    this.#newest.set(key, entry);
    const [oldestKey, { offset }] = this.#newest.entries().next().value as [unknown, LogEntry];
    const isDeleted = offset <= this.log.clearedAt;
    if (!isDeleted && this.#newest.size <= MAX_KEYS) return;
    this.#newest.delete(oldestKey);
    // Without a key that is dropped for lack of room the index is incomplete; without a deleted event it is not.
    if (!isDeleted) this.#floor = offset;
  }

  /** The newest events of the keys that had one after an offset, oldest first. */
  after(offset: number): LogEntry[] {
    this.#takeIn();
    const from = Math.max(offset, this.log.clearedAt);
    return [...this.#newest.values()].filter((entry) => entry.offset > from);
  }

  /** The log may be read, when it makes room, before `add()` was called for its newest entries. */
  #takeIn(): void {
    for (const entry of this.log.entriesAfter(this.#upTo)) this.add(entry);
  }

  #keyOf(entry: LogEntry): unknown {
    try {
      return this.policy.latest(this.eventOf(entry));
    } catch (error) {
      new Logger('SseHub').error(error);
      return entry; // a key of its own, so that no other event replaces it
    }
  }
}
