import type { LogFollower } from '../../log/backplane.js';
import { EventLog, type LogEntry } from '../../log/event-log.js';
import { isSamePosition, type Position } from '../../protocol/position.js';
import type { HistoryOptions } from '../../sse.options.js';
import { Followers } from './followers.js';
import type { ReceivedEntry, RemoteRange } from './remote-logs.js';

/** The most entries that wait for the one before them. If there are more, the log is read. */
const MAX_EARLY = 1_000;
/** The most marks in `#passed`: about as many as a publisher has events under way. */
const MAX_PASSED = 512;

type Content = Omit<LogEntry, 'previous'>;

/** Whether a read is needed. `no read`: what was received is in the log, or waits for an entry that is on its way. */
export type Verdict = 'no read' | 'to be read';

/**
 * The log of one channel as it is received from a server: entries by notices and answers, ranges by reads. Each may come
 * late, early, twice, or from another log. {@link LocalCopy} decides when to read.
 *
 * At any time the server's log may be another one. Marks show it:
 * - An entry is the next one only if it names a position that this log holds.
 * - An entry at or below the head whose mark is not the one held there is of another log.
 * - A range continues the log only if the server says that it holds the head; otherwise it replaces the log.
 *
 * The log of an absent channel is empty, at a position of offset 0. When its first event comes, the copy goes on from
 * that position, although the server's log has another birth mark, so that the readers keep their position.
 */
export class ReceivedLog {
  #log: EventLog | undefined;
  readonly followers = new Followers<LogFollower>();
  /** Entries whose predecessor is not here yet, by the predecessor's offset. */
  readonly #early = new Map<number, ReceivedEntry>();
  /** Marks of events that this process is appending and that are not in the log yet, and whether a notice has come. */
  readonly #own = new Map<string, 'awaited' | 'noticed'>();
  /** Marks of events that were answered, and whose notices are still on their way. */
  readonly #answered = new Set<string>();
  /**
   * The marks of the newest entries by offset, also of those let go of. Only for NATS, where `known` of a notice may be
   * an older entry than the one before. Empty until such a notice comes.
   */
  readonly #passed = new Map<number, string>();
  /**
   * Whether every notice since the last read has come. Only then does an entry that says it is the first continue an
   * absent channel: after a hole there may have been another log in between.
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

  /** This process begins to append an event. */
  expect(mark: string): void {
    this.#own.set(mark, 'awaited');
  }

  /**
   * The append is over.
   *
   * @param outcome `answered`: the event was stored, and its answer has come
   * @returns whether its event had come before, also if the log has let go of it since
   */
  settle(mark: string, outcome: 'answered' | 'other'): boolean {
    const own = this.#own.get(mark);
    this.#own.delete(mark);
    // Before the first range, the event may have been stored before the subscription was made: no notice comes then.
    if (own === 'awaited' && outcome === 'answered' && this.#log && this.#isGapless) this.#answered.add(mark);
    return own === undefined;
  }

  /** A notice has come; to be called once for each. @returns whether it tells anything new */
  takeNotice(position: Position): 'news' | 'known' {
    if (this.#answered.delete(position.mark) || this.has(position)) return 'known';
    if (this.#own.has(position.mark)) this.#own.set(position.mark, 'noticed');
    return 'news';
  }

  has(position: Position): boolean {
    return this.#log?.has(position) === true;
  }

  /** Notices may be missing from now on, until the next read. */
  interrupted(): void {
    this.#isGapless = false;
    this.#answered.clear();
  }

  /** A read begins. Entries that still wait are in its answer, or of another log. */
  readBegins(): void {
    this.#early.clear();
    this.#isGapless = true;
  }

  /** Adds an entry and those that have waited for it, or lets it wait for the one before it. */
  add(entry: ReceivedEntry): Verdict {
    const log = this.#log;
    if (!log) return this.#wait(entry);
    if (log.has(entry)) return 'no read';
    if (entry.offset > log.head.offset && entry.previous > log.head.offset) return this.#wait(entry);
    for (let next: ReceivedEntry | undefined = entry; next; next = this.#early.get(log.head.offset)) {
      this.#early.delete(next.previous);
      const isNext = next.previous === log.head.offset && next.offset > log.head.offset;
      if (!isNext || !this.#isOfSameLog(log, next)) return 'to be read';
      if (next.known && next.known.offset < next.previous) this.#rememberPassed(log);
      this.#push(log, next);
    }
    return 'no read';
  }

  /** Adds the entries that came while a read was under way. */
  addEarly(): Verdict {
    const early = [...this.#early.values()].sort((one, other) => one.offset - other.offset);
    this.#early.clear();
    const added = early.map((entry) => this.add(entry));
    return added.includes('to be read') ? 'to be read' : 'no read';
  }

  /** Takes in what a read has found after the head: the server's log holds the head. */
  goOn(log: EventLog, range: RemoteRange): Verdict {
    const { since, floor, head, clearedAt, completed } = range;
    if (clearedAt > log.clearedAt) this.clear(log, floor, clearedAt);
    for (const entry of range.entries) {
      if (entry.offset <= log.head.offset) continue; // a notice of it was faster
      this.#push(log, entry, entry.previous);
    }
    if (head.offset > log.head.offset) this.clear(log, head, log.clearedAt);
    if (completed) this.complete(log);
    // The channel is still absent, and its position was renewed.
    else if (log.isAbsent && since && isSamePosition(since, log.head) && !isSamePosition(head, log.head)) {
      log.floor = log.head = head;
      this.followers.tell((follower) => follower.moved());
    }
    // Notices have brought the log beyond the head that was read, and it does not hold that head: it is another log.
    const isOther = head.offset <= log.head.offset && head.offset > log.floor.offset && !log.has(head);
    return isOther ? 'to be read' : 'no read';
  }

  /**
   * Puts what a read has found in place of the log.
   *
   * @param before for a refill the log so far: entries that notices have added to it after the head that was read stay
   */
  replace(range: RemoteRange, before?: EventLog): Verdict {
    const log: EventLog = new EventLog(range.floor, this.limits, () => {
      if (this.#log === log) this.followers.tell((follower) => follower.leaving());
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
    if (!isFirst) this.followers.tell((follower) => follower.replaced(log));
    return before && !goesOn ? 'to be read' : 'no read';
  }

  complete(log: EventLog): void {
    if (log.completed) return;
    log.completed = true;
    this.followers.tell((follower) => follower.completed());
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
    this.followers.clear();
    this.#early.clear();
    this.#own.clear();
    this.#answered.clear();
  }

  /** For the first event of an absent channel its offset is enough: nobody could know the birth mark of its log. */
  #isOfSameLog(log: EventLog, { previous, known }: ReceivedEntry): boolean {
    if (known && (log.has(known) || this.#passed.get(known.offset) === known.mark)) return true;
    return log.isAbsent && previous === 0 && this.#isGapless;
  }

  #wait(entry: ReceivedEntry): Verdict {
    if (this.#early.size >= MAX_EARLY) return 'to be read';
    this.#early.set(entry.previous, entry);
    return 'no read';
  }

  #push(log: EventLog, received: Content, previous?: Position): void {
    const entry = this.#put(log, received, previous);
    if (this.#passed.size > 0) this.#pass(entry);
    this.resized(log.bytes);
    this.followers.tell((follower) => follower.appended(entry));
  }

  /** @param previous the position before it on the server; if it is beyond our head, the entries between are gone */
  #put(log: EventLog, { offset, mark, at, event }: Content, previous: Position = log.head): LogEntry {
    if (previous.offset > log.head.offset) log.clear(previous);
    // Our head, not `previous`: the first entry of an absent channel follows on the position that the channel had here.
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
}
