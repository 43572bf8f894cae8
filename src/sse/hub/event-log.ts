import type { HistoryOptions } from '../sse.options.js';
import type { StoredEvent } from './stored-event.js';

/** One event at its place in a log. */
export interface LogEntry {
  readonly offset: number;
  /** The offset of the entry before it, so that a missed one is noticed even where offsets have holes. */
  readonly previous: number;
  /** When it was published, in milliseconds since 1970. */
  readonly at: number;
  readonly event: StoredEvent;
}

/**
 * The newest events of one channel, oldest first, within limits.
 *
 * Offsets increase strictly. What is no longer kept lies at or before `floor`, so a reader whose
 * position is below it has missed something, and one at or above it has not.
 */
export class EventLog {
  /** The last offset that is no longer kept. */
  floor = 0;
  /** The newest offset. */
  head = 0;
  /** What was published up to here was deleted, not pushed out by what came after. */
  clearedAt = 0;
  /** The bytes of all entries. */
  bytes = 0;
  /** Whether nothing will follow. */
  completed = false;
  #entries: (LogEntry | undefined)[] = [];
  /** Where the entries begin in the array; those before were evicted. */
  #start = 0;

  constructor(
    readonly epoch: string,
    readonly limits: Required<HistoryOptions>,
  ) {}

  get size(): number {
    return this.#entries.length - this.#start;
  }

  /** Adds the newest entry and lets go of those that the limits have no room for. */
  push(entry: LogEntry): void {
    this.#entries.push(entry);
    this.head = entry.offset;
    this.bytes += entry.event.bytes;
    while (this.size > 1 && (this.size > this.limits.count || this.bytes > this.limits.bytes)) this.#evict();
    this.expire(entry.at);
  }

  /** Lets go of what is older than the limit. */
  expire(now: number): void {
    if (this.limits.age === Infinity) return;
    const oldest = now - this.limits.age;
    for (let entry = this.at(0); entry !== undefined && entry.at <= oldest; entry = this.at(0)) this.#evict();
  }

  /**
   * Lets go of everything. Positions go on from where they are, or from a later offset: what lies between
   * is not kept either.
   */
  clear(upTo = this.head): void {
    this.#entries = [];
    this.#start = 0;
    this.bytes = 0;
    this.floor = this.clearedAt = this.head = upTo;
  }

  /** The i-th entry that is kept, the oldest being 0. */
  at(index: number): LogEntry | undefined {
    return this.#entries[this.#start + index];
  }

  /** The index of the first entry after an offset; `size` if there is none. */
  indexAfter(offset: number): number {
    if (offset >= this.head) return this.size;
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.at(middle) as LogEntry).offset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The entries after an offset, oldest first. */
  *entriesAfter(offset: number): Generator<LogEntry> {
    for (let i = this.indexAfter(offset); i < this.size; i++) yield this.at(i) as LogEntry;
  }

  /** The offset from which `count` entries lead up to another, or as many as there are. */
  before(count: number, offset: number): number {
    const first = Math.max(0, this.indexAfter(offset) - count);
    return Math.min(this.at(first)?.previous ?? offset, offset);
  }

  /** Lets go of the oldest entries until the others have at most so many bytes; the newest stays. */
  shrink(bytes: number): void {
    while (this.size > 1 && this.bytes > bytes) this.#evict();
  }

  #evict(): void {
    const entry = this.#entries[this.#start] as LogEntry;
    this.#entries[this.#start] = undefined;
    this.#start++;
    this.floor = entry.offset;
    this.bytes -= entry.event.bytes;
    // Moving what is left to the front once in a while costs each entry a constant.
    if (this.#start > 32 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }
}
