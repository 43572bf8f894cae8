import type { LogFollower } from '../../log/backplane.js';
import { EventLog, type LogEntry } from '../../log/event-log.js';
import { isSamePosition, type Position } from '../../protocol/position.js';
import type { HistoryOptions } from '../../sse.options.js';
import { Followers } from './followers.js';
import type { ReceivedEntry, RemoteRange } from './remote-logs.js';

/** Entries that wait for the one before them, at most. What is beyond is read instead. */
const MAX_EARLY = 1_000;
/** Events that are remembered by their marks: about as many as a publisher has under way. */
const MAX_PASSED = 512;

type Content = Omit<LogEntry, 'previous'>;

/** Whether all that was received is in the log now, or a read of the server has to tell what is. */
export type Completeness = 'complete' | 'to be read';

/**
 * The log of one channel as it is received from a server, in pieces that may come late, early, twice, or from another
 * log: entries from notices and answers, ranges from reads. {@link LocalCopy} decides when to read.
 *
 * A log is never believed to be the one it was; its marks prove it:
 * - An entry is the next one only if it names a position that this log holds.
 * - An entry at or below the head whose mark is not the one held there is of another log.
 * - A range continues the log only if the server says that it holds the head; otherwise it replaces the log.
 *
 * The log of a channel that is not there is empty, at a position of offset 0. When the channel comes into being the
 * log keeps that position as its beginning, so that its readers are where they were.
 */
export class ReceivedLog {
  #log: EventLog | undefined;
  readonly #followers = new Followers<LogFollower>();
  /** Entries whose predecessor is not here yet, by the predecessor's offset. */
  readonly #early = new Map<number, ReceivedEntry>();
  /** Marks of events that this process is appending, until they are here. */
  readonly #own = new Set<string>();
  /** Marks of events that came by the answer to an append, and whose notices are still on their way. */
  readonly #answered = new Set<string>();
  /**
   * Marks of the newest entries, also of those that are let go of, by offset: a publisher that has several events
   * under way names an older one. Empty until one has done so.
   */
  readonly #passed = new Map<number, string>();
  /**
   * Whether every notice since the last read has come. Only then is the first entry of a channel that was not there
   * known to be of the first log since.
   */
  #isGapless = true;

  /** @param resized is told the bytes of the log when they may have changed */
  constructor(
    private readonly limits: Required<HistoryOptions>,
    private readonly resized: (bytes: number) => void,
  ) {}

  /** Undefined until the first range is here. */
  get log(): EventLog | undefined {
    return this.#log;
  }

  get hasEarly(): boolean {
    return this.#early.size > 0;
  }

  /** @returns ends that, and answers whether it had not ended yet */
  follow(follower: LogFollower): () => boolean {
    return this.#followers.add(follower);
  }

  /** This process begins to append an event. */
  expect(mark: string): void {
    this.#own.add(mark);
  }

  /** The append has its answer. @returns whether followers were told of the event already, however little is kept */
  hasCome(mark: string): boolean {
    return !this.#own.delete(mark);
  }

  /** The notice of this event is still on its way, after its answer. */
  answered({ mark }: Position): void {
    if (this.#isGapless) this.#answered.add(mark);
  }

  /** Whether a notice tells nothing new. To be called once a notice. */
  isKnown(noticed: Position): boolean {
    return this.#answered.delete(noticed.mark) || this.has(noticed);
  }

  has(position: Position): boolean {
    return this.#log?.has(position) === true;
  }

  /** Notices may be missing from now on, until the next read. */
  interrupted(): void {
    this.#isGapless = false;
    this.#answered.clear();
  }

  /** A read begins. What was noticed before is in its answer, or is not of this log. */
  readBegins(): void {
    this.#early.clear();
    this.#isGapless = true;
  }

  /** Adds an entry and those that have waited for it, or lets it wait for the one before it. */
  add(entry: ReceivedEntry): Completeness {
    const log = this.#log;
    if (!log) return this.#wait(entry);
    if (log.has(entry)) return 'complete';
    if (entry.offset > log.head.offset && entry.previous > log.head.offset) return this.#wait(entry);
    for (let next: ReceivedEntry | undefined = entry; next; next = this.#early.get(log.head.offset)) {
      this.#early.delete(next.previous);
      const isNext = next.previous === log.head.offset && next.offset > log.head.offset;
      if (!isNext || !this.#isOfSameLog(log, next)) return 'to be read';
      if (next.known && next.known.offset < next.previous) this.#rememberPassed(log);
      this.#push(log, next);
    }
    return 'complete';
  }

  /** Adds the entries that came during a read, when it was not known what they follow on. */
  addEarly(): Completeness {
    const early = [...this.#early.values()].sort((one, other) => one.offset - other.offset);
    this.#early.clear();
    const added = early.map((entry) => this.add(entry));
    return added.includes('to be read') ? 'to be read' : 'complete';
  }

  /** Takes in what a read has found after the head: the server's log holds the head. */
  goOn(log: EventLog, range: RemoteRange): Completeness {
    const { since, floor, head, clearedAt, completed } = range;
    if (clearedAt > log.clearedAt) this.clear(log, floor, clearedAt);
    for (const entry of range.entries) {
      if (entry.offset <= log.head.offset) continue; // a notice of it was faster
      this.#push(log, entry, entry.previous);
    }
    if (head.offset > log.head.offset) this.clear(log, head, log.clearedAt);
    if (completed) this.complete(log);
    else if (log.isAbsent && since && isSamePosition(since, log.head) && !isSamePosition(head, log.head))
      this.#move(log, head);
    // Entries that were noticed during the read are not of the log that was read if its head is not among them.
    const isOther = head.offset <= log.head.offset && head.offset > log.floor.offset && !log.has(head);
    return isOther ? 'to be read' : 'complete';
  }

  /**
   * Puts what a read has found in place of the log.
   *
   * @param before the log, if all of the same log was read: notices may have added to it meanwhile
   */
  replace(range: RemoteRange, before?: EventLog): Completeness {
    const log: EventLog = new EventLog(range.floor, this.limits, () => {
      if (this.#log === log) this.#followers.tell((follower) => follower.leaving());
    });
    for (const entry of range.entries) this.#put(log, entry, entry.previous);
    if (range.head.offset > log.head.offset) log.clear(range.head);
    const goesOn = before?.has(range.head) === true;
    if (goesOn) for (const entry of before.entriesAfter(range.head.offset)) log.push(entry);
    log.clearedAt = range.clearedAt;
    log.completed = range.completed;
    const isFirst = this.#log === undefined;
    this.#log = log;
    this.#passed.clear();
    this.resized(log.bytes);
    if (!isFirst) this.#followers.tell((follower) => follower.replaced(log));
    return before && !goesOn ? 'to be read' : 'complete';
  }

  complete(log: EventLog): void {
    if (log.completed) return;
    log.completed = true;
    this.#followers.tell((follower) => follower.completed());
  }

  /** Lets go of everything up to a position, after it was offered. Entries after it stay. */
  clear(log: EventLog, upTo: Position, clearedAt: number): void {
    if (upTo.offset > log.floor.offset) log.clear(upTo);
    log.clearedAt = clearedAt;
    this.resized(log.bytes);
  }

  /** Lets go of what is older than the limit. */
  expire(now: number): void {
    if (!this.#log) return;
    this.#log.expire(now);
    this.resized(this.#log.bytes);
  }

  /**
   * Lets go of the oldest entries until the others have at most so many bytes; the newest stays.
   *
   * @returns whether there were any to let go of
   */
  shrink(bytes: number): boolean {
    const log = this.#log;
    if (!log) return false;
    const { floor } = log;
    log.shrink(bytes);
    this.resized(log.bytes);
    return log.floor !== floor;
  }

  /** Followers are told nothing afterwards. */
  close(): void {
    this.#followers.clear();
    this.#early.clear();
    this.#own.clear();
    this.#answered.clear();
  }

  /** The first event of a channel that was not there follows on that, whatever the birth of its log is called. */
  #isOfSameLog(log: EventLog, { previous, known }: ReceivedEntry): boolean {
    if (known && (log.has(known) || this.#passed.get(known.offset) === known.mark)) return true;
    return log.isAbsent && previous === 0 && this.#isGapless;
  }

  #wait(entry: ReceivedEntry): Completeness {
    if (this.#early.size >= MAX_EARLY) return 'to be read';
    this.#early.set(entry.previous, entry);
    return 'complete';
  }

  #push(log: EventLog, received: Content, previous?: Position): void {
    const entry = this.#put(log, received, previous);
    if (this.#passed.size > 0) this.#pass(entry);
    this.resized(log.bytes);
    this.#followers.tell((follower) => follower.appended(entry));
  }

  /** @param previous the position before it on the server, if there is a hole before that */
  #put(log: EventLog, { offset, mark, at, event }: Content, previous: Position = log.head): LogEntry {
    if (previous.offset > log.head.offset) log.clear(previous);
    // The position of a channel that was not there stays what its first entry follows on.
    const entry = { offset, mark, previous: log.head, at, event };
    this.#own.delete(mark);
    log.push(entry);
    return entry;
  }

  #rememberPassed(log: EventLog): void {
    if (this.#passed.size > 0) return;
    for (const held of [log.floor, ...log.entriesAfter(log.floor.offset)]) this.#pass(held);
  }

  #pass({ offset, mark }: Position): void {
    this.#passed.set(offset, mark);
    const [oldest] = this.#passed.keys();
    if (oldest !== undefined && this.#passed.size > MAX_PASSED) this.#passed.delete(oldest);
  }

  /** The channel is still not there, and its position is another. */
  #move(log: EventLog, nothingYet: Position): void {
    log.floor = log.head = nothingYet;
    this.#followers.tell((follower) => follower.moved());
  }
}
