import type { HistoryOptions } from '../sse.options.js';
import type { NamedPosition, Position } from '../protocol/position.js';
import type { GapReason } from './sse-event.js';
import type { StoredEvent } from './stored-event.js';

/** One event at its place in a log: its offset and mark are the position that its id names. */
export interface LogEntry extends Position {
  /** The position of the entry before it, so that a missed one is noticed even where offsets have holes. */
  readonly previous: Position;
  /** When it was published, in milliseconds since 1970. */
  readonly at: number;
  readonly event: StoredEvent;
}

/** The positions between which a log can be read. */
export type LogBounds = Readonly<Pick<EventLog, 'floor' | 'head'>>;

/** A gap that a client has not been told of yet. */
export interface OwedGap {
  readonly reason: GapReason;
  /** The position from which something is missing, as the client would write it; empty if it had none. */
  readonly requested: string;
}

/** The value of `#offered` while readers are being offered the log: no offset is beyond it, so nothing is offered twice. */
const OFFERING = Infinity;

/**
 * The newest events of one channel, oldest first, within limits.
 *
 * Offsets increase strictly. Everything after `floor` up to `head` is kept. A reader whose position is an event
 * that the log holds, or the floor itself, has missed nothing; of any other position the log cannot prove that.
 *
 * An entry is offered to the readers before the log drops it.
 */
export class EventLog {
  /** The last event that is no longer kept; before the first event its offset is 0. */
  floor: Position;
  /** The newest event. */
  head: Position;
  /** Events up to this offset were deleted by `purge()`, not pushed out by later ones. */
  clearedAt = 0;
  /** The bytes of all entries. */
  bytes = 0;
  /** Whether nothing will follow. */
  completed = false;
  #entries: (LogEntry | undefined)[] = [];
  /** The index at which the entries begin in the array; those before were evicted. */
  #start = 0;
  /** Everything up to this offset was offered to those who read the log; `OFFERING` while it is being offered. */
  #offered = 0;

  /**
   * @param begin the position before everything that is going to be in it
   * @param offer lets readers take entries that they have not been offered; called before one of these is dropped
   */
  constructor(
    begin: Position,
    readonly limits: Required<HistoryOptions>,
    private readonly offer: () => void = () => undefined,
  ) {
    this.floor = this.head = begin;
  }

  get size(): number {
    return this.#entries.length - this.#start;
  }

  /** Whether no event was ever stored, so that the channel is not there. */
  get isAbsent(): boolean {
    return this.head.offset === 0 && !this.completed;
  }

  /** Whether a position is that of an event in the log, or of the last event that left it. */
  has({ offset, mark }: Position): boolean {
    if (offset === this.head.offset) return mark === this.head.mark;
    if (offset === this.floor.offset) return mark === this.floor.mark;
    if (offset < this.floor.offset || offset > this.head.offset) return false;
    const entry = this.at(this.indexAfter(offset) - 1);
    return entry?.offset === offset && entry.mark === mark;
  }

  /** Why events after a position may be missing; undefined if none are. */
  missing(position: Position): Extract<GapReason, 'evicted' | 'unknown'> | undefined {
    if (this.has(position)) return undefined;
    return position.offset < this.floor.offset ? 'evicted' : 'unknown';
  }

  /**
   * Drops the entries that are too old, and then the oldest until an event of so many bytes fits. Call it before the
   * event's offset is chosen: readers that are offered these entries may publish.
   */
  makeRoom(bytes: number, now: number): void {
    this.expire(now);
    const { count, bytes: maxBytes } = this.limits;
    const newest = this.head.offset;
    while (this.#mayLeave(newest) && (this.size >= count || this.bytes + bytes > maxBytes)) this.#evict();
  }

  /** Adds the newest entry, for which there is room. */
  add(entry: LogEntry): void {
    this.#entries.push(entry);
    this.head = { offset: entry.offset, mark: entry.mark };
    this.bytes += entry.event.bytes;
  }

  /** Adds the newest entry, and drops those that there is no room for. */
  push(entry: LogEntry): void {
    this.makeRoom(entry.event.bytes, entry.at);
    this.add(entry);
  }

  /** Drops what is older than the limit. */
  expire(now: number): void {
    if (this.limits.age === Infinity) return;
    const newest = this.head.offset;
    while (this.#mayLeave(newest) && (this.at(0) as LogEntry).at <= now - this.limits.age) this.#evict();
  }

  /** Drops everything up to a position, which may be later than all there is. Later events stay. */
  clear(upTo: Position = this.head): void {
    if (this.size > 0) this.#offerUpTo(this.head.offset);
    while ((this.at(0)?.offset ?? Infinity) <= upTo.offset) this.#evict();
    // Readers that were offered it may have published so much that it has gone on.
    if (upTo.offset > this.floor.offset) this.floor = upTo;
    if (upTo.offset > this.head.offset) this.head = upTo;
  }

  /** Clears the log on request: events that are deleted on purpose leave no gap. */
  purge(): void {
    const { head } = this;
    this.clear(head);
    this.clearedAt = head.offset;
  }

  /** The i-th entry that is kept, the oldest being 0. */
  at(index: number): LogEntry | undefined {
    return this.#entries[this.#start + index];
  }

  /** The index of the first entry after an offset; `size` if there is none. */
  indexAfter(offset: number): number {
    if (offset >= this.head.offset) return this.size;
    // Offsets have holes seldom. Without one the index is the distance from the floor.
    const distance = offset - this.floor.offset;
    if (distance <= 0) return 0;
    if (this.at(distance - 1)?.offset === offset) return distance;
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

  /** The position from which `count` entries lead up to another, or as many as there are. */
  before(count: number, position: Position): Position {
    const end = this.indexAfter(position.offset);
    const first = Math.max(0, end - count);
    return first === end ? position : (this.at(first) as LogEntry).previous;
  }

  /** Drops the oldest entries until the others have at most so many bytes; the newest stays. */
  shrink(bytes: number): void {
    const newest = this.head.offset;
    while (this.size > 1 && this.#mayLeave(newest) && this.bytes > bytes) this.#evict();
  }

  /**
   * Whether the oldest entry can be dropped. It stays while readers are being offered the log, as some have not had their
   * turn. An entry that was published during this call, so after `newest`, stays until the next event: otherwise readers
   * that publish for each event that they read would never come to an end.
   */
  #mayLeave(newest: number): boolean {
    const oldest = this.at(0);
    return oldest !== undefined && oldest.offset <= newest && this.#offered !== OFFERING;
  }

  /** Offers everything to the readers, unless everything up to an offset was offered before. */
  #offerUpTo(offset: number): void {
    if (offset <= this.#offered) return;
    const newest = this.head.offset;
    this.#offered = OFFERING;
    try {
      this.offer();
    } finally {
      this.#offered = newest;
    }
  }

  /** Drops the oldest entry, unless a reader that was offered it has purged the log meanwhile. */
  #evict(): void {
    const entry = this.at(0) as LogEntry;
    this.#offerUpTo(entry.offset);
    if (this.at(0) !== entry) return;
    this.#entries[this.#start] = undefined;
    this.#start++;
    this.floor = { offset: entry.offset, mark: entry.mark };
    this.bytes -= entry.event.bytes;
    // Moving what is left to the front once in a while costs each entry a constant.
    if (this.#start > 32 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }
}

/** Why a log cannot be read on from a position; undefined if it can. */
export function gapAt(requested: NamedPosition, log: EventLog): OwedGap | undefined {
  if (requested.kind === 'unreadable') return { reason: 'unreadable', requested: requested.text };
  const reason = log.missing(requested.position);
  return reason && { reason, requested: requested.text };
}
