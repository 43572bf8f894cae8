import { Logger } from '@nestjs/common';
import type { FollowedLog, LogFollower } from '../../log/backplane.js';
import { EventLog } from '../../log/event-log.js';
import { isSamePosition, type Position } from '../../protocol/position.js';
import type { HistoryOptions } from '../../sse.options.js';
import { Arrivals } from './arrivals.js';
import type { CopyMemory } from './copy-memory.js';
import type { HeardEntry, Notice, RemoteRange } from './remote-logs.js';

/** What a copy asks of the server: as in {@link RemoteLogs}, of one channel. */
export interface CopiedLog {
  read(known: Position | undefined, asked: readonly Position[]): Promise<RemoteRange>;
  heard(): Promise<void>;
}

/** Milliseconds that a missing entry is given to arrive by itself: an answer may overtake the notices before it. */
const PATIENCE = 20;
/** Milliseconds after which a read that failed is tried again. */
const RETRY = 1_000;
/** Entries that are held until the one before them is there; what is beyond is read. */
const MAX_EARLY = 1_000;
/** Events that are remembered by their marks: about as many as a publisher has under way. */
const MAX_PASSED = 512;

/** A client has brought a position that the copy does not hold. */
interface Question {
  readonly position: Position;
  readonly resolve: (position: Position | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * This instance's copy of one channel's log on a server, kept up to date by the server's notices and by the answers
 * to what this process appends. What is missing is read, by one read at a time.
 *
 * It never believes that a log is the one it was, but sees it by the marks. An entry is its next one only if the
 * entry names a position that the copy holds. An entry at or below its head whose mark is not the one held there is
 * news of another log. A read after its head says whether the server's log holds that very position; otherwise the
 * log is another one, or has moved past the copy, and what the server has takes the copy's place.
 *
 * The log of a channel that is not there is empty and at nothing yet. When the channel comes into being, the copy
 * keeps that position as its beginning, so that those who read it are where they were.
 */
export class LocalCopy {
  #log: EventLog | undefined;
  /** Never changed but replaced, so that those may leave who are being told. */
  #followers: readonly LogFollower[] = [];
  /** Entries whose predecessor is not here yet, by the predecessor's offset. */
  readonly #early = new Map<number, HeardEntry>();
  /** Marks of what this process is appending, until it is here. */
  readonly #own = new Set<string>();
  /** Marks of what came by the answer to an append, and whose notice is still on its way. */
  readonly #unheard = new Set<string>();
  /**
   * The marks of the newest entries of this log, also of those that are let go of: a publisher that has several under
   * way names an older one. Empty until one has done so.
   */
  readonly #passed = new Map<number, string>();
  readonly #arrivals = new Arrivals();
  readonly #questions: Question[] = [];
  #reading: Promise<void> | undefined;
  #isReadWanted = false;
  /** Whether every notice since the last read has come, so that a first entry is that of the first log since. */
  #hearsAll = true;
  /** Whether the server still has what was let go of here, for lack of memory. */
  #isShrunk = false;
  /** Whether the next read is to be of all that the server has. */
  #isWholeWanted = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(
    private readonly limits: Required<HistoryOptions>,
    private readonly server: CopiedLog,
    /** What all copies of the process have in common. */
    private readonly memory?: CopyMemory,
  ) {}

  /** To be read once it is open. */
  get log(): EventLog {
    return this.#log as EventLog;
  }

  get isOpen(): boolean {
    return this.#log !== undefined;
  }

  /** Reads the log for the first time. Notices must come by then. Rejects with the error of the read. */
  open(): Promise<void> {
    return this.resync();
  }

  /** To be called once it is open. */
  follow(follower: LogFollower): Required<FollowedLog> {
    this.#followers = [...this.#followers, follower];
    return {
      log: this.log,
      locate: (position) => this.locate(position),
      refill: () => this.refill(),
      stop: () => {
        this.#followers = this.#followers.filter((other) => other !== follower);
      },
    };
  }

  /** As {@link FollowedLog.locate}. */
  locate(position: Position): Promise<Position | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#questions.push({ position, resolve, reject });
      this.resync().catch(reject);
    });
  }

  /** As {@link FollowedLog.refill}. */
  refill(): Promise<void> | undefined {
    if (!this.#isShrunk) return undefined;
    this.#isWholeWanted = true;
    return this.locate(this.log.floor).then(ignored);
  }

  /** This process begins to append an entry. */
  expect(mark: string): void {
    this.#own.add(mark);
  }

  /** The append has its answer. @returns whether the entry has come already: however little is kept, it was told of */
  hasCome(mark: string): boolean {
    return !this.#own.delete(mark);
  }

  /** Takes in what the server tells of. */
  hear(notice: Notice): Promise<void> {
    switch (notice.kind) {
      case 'changed':
        return this.resync();
      case 'purged':
        return this.purged(notice.position);
      case 'completed':
        return this.completed(notice.position);
      case 'entry': {
        const { position } = notice;
        if (this.#unheard.delete(position.mark) || this.#log?.has(position)) return Promise.resolve();
        const entry = notice.entry();
        return entry ? this.add(entry) : this.resync();
      }
    }
  }

  /** Takes in an entry that this process has appended: the answer was faster than the notice. */
  answered(entry: HeardEntry): Promise<void> {
    if (this.#hearsAll && !this.#isClosed) this.#unheard.add(entry.mark);
    return this.add(entry);
  }

  /**
   * Takes in an entry.
   *
   * @returns when followers were told of it, or it cannot be had at present
   */
  async add(entry: HeardEntry): Promise<void> {
    if (this.#isClosed) return;
    if (!this.#log) this.#hold(entry);
    else this.#place(this.#log, entry);
    const isHere = this.#log?.has(entry) === true;
    if (this.#isReadWanted && (!isHere || !this.#reading)) {
      const read = this.resync();
      if (!isHere) await read;
    } else if (!isHere) {
      if (!this.#reading && this.#log) this.#startTimer(PATIENCE);
      await this.#arrivals.of(entry);
    }
  }

  /** All up to an event was purged. Resolves when it is gone here too. */
  async purged(upTo: Position): Promise<void> {
    if (this.#isClosed) return;
    // A read that is under way may have looked before it.
    if (!this.#log?.has(upTo)) await this.resync();
    else this.#clear(this.#log, upTo, upTo.offset);
  }

  /** The channel was completed after an event. Resolves when followers were told. */
  async completed(head: Position): Promise<void> {
    if (this.#isClosed) return;
    if (!this.#log || !isSamePosition(this.#log.head, head)) await this.resync();
    else this.#complete(this.#log);
  }

  /**
   * Reads what may have been missed. Where that fails it is tried again, until it is there or closed.
   *
   * @returns when it was read; rejects only if the copy is not open yet
   */
  resync(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isReadWanted = true;
    this.#stopTimer();
    this.#reading ??= this.#readWanted();
    return this.#reading;
  }

  /** Notices may be missing from now on, until the next read. */
  deaf(): void {
    this.#hearsAll = false;
    this.#unheard.clear();
  }

  /** Lets go of what is older than the limit. */
  expire(now: number): void {
    this.#log?.expire(now);
    this.#account();
  }

  /**
   * Lets go of the oldest entries until the others have at most so many bytes; the newest stays. They are on the
   * server all the same, and are read again for those who need them.
   */
  shrink(bytes: number): void {
    const floor = this.#log?.floor;
    this.#log?.shrink(bytes);
    if (this.#log?.floor !== floor) this.#isShrunk = true;
    this.#account();
  }

  /** Followers are told nothing afterwards. */
  close(): void {
    this.#isClosed = true;
    this.#followers = [];
    this.#early.clear();
    this.#own.clear();
    this.#unheard.clear();
    this.#stopTimer();
    this.#arrivals.all()();
    for (const { resolve } of this.#questions.splice(0)) resolve(undefined);
    this.memory?.forget(this);
  }

  async #readWanted(): Promise<void> {
    try {
      while (this.#isReadWanted && !this.#isClosed) {
        this.#isReadWanted = false;
        await this.#readOnce();
      }
    } catch (error) {
      if (this.#isClosed) return;
      if (!this.#log) throw error;
      this.#isReadWanted = true;
      this.#startTimer(RETRY);
    } finally {
      // In the same turn: whoever asks from now on asks for another read.
      this.#reading = undefined;
      if (this.#early.size > 0 && !this.#isClosed) this.#startTimer(PATIENCE);
    }
  }

  async #readOnce(): Promise<void> {
    // What was told of before a read is in its answer, or is not of this log.
    this.#early.clear();
    const release = this.#arrivals.all();
    const questions = this.#questions.splice(0);
    this.#hearsAll = true;
    try {
      const isTooOld = ({ offset }: Position): boolean => offset > 0 && offset < this.log.floor.offset;
      const isForOld = this.#isShrunk && questions.some(({ position }) => isTooOld(position));
      const known = this.#isWholeWanted || isForOld ? undefined : this.#log?.head;
      this.#isWholeWanted = false;
      const isOpenQuestion = ({ offset }: Position): boolean => offset === 0 || offset > (known?.offset ?? 0);
      const asked = questions.map(({ position }) => position).filter(isOpenQuestion);
      const range = await this.server.read(known, asked);
      await this.#take(known, range);
      for (const { position, resolve } of questions) resolve(this.#find(position, range));
    } catch (error) {
      this.#hearsAll = false;
      for (const { reject } of questions) reject(error);
      throw error;
    } finally {
      release();
    }
  }

  async #take(known: Position | undefined, range: RemoteRange): Promise<void> {
    const log = this.#log;
    const isSame = log && known && (range.since || (await this.#catchesUp(log, known, range)));
    if (this.#isClosed) return;
    if (isSame) this.#goOn(log, range);
    else if (log && known && !isSamePosition(log.head, known)) {
      // Notices have come meanwhile of what was not stored yet when the server looked: it has to look again.
      this.#isReadWanted = true;
      return;
    } else this.#replace(range, known ? undefined : log);
    // Entries that came meanwhile, when it was not known what they follow on.
    const early = [...this.#early.values()].sort((a, b) => a.offset - b.offset);
    this.#early.clear();
    for (const entry of early) this.#place(this.log, entry);
    this.#arrivals.upTo(this.log.head);
  }

  /**
   * A read may overtake many notices. Those that were on their way when it seems to be another log may lead up to
   * what was read; or they are of a log that is gone, and must not be taken for the first of the next one.
   */
  async #catchesUp(log: EventLog, known: Position, { floor, head }: RemoteRange): Promise<boolean> {
    await this.server.heard();
    return floor.offset > known.offset && log.has(head);
  }

  /** The server's log holds the position up to which it was known here. */
  #goOn(log: EventLog, range: RemoteRange): void {
    const { since, floor, head, clearedAt, completed } = range;
    if (clearedAt > log.clearedAt) this.#clear(log, floor, clearedAt);
    for (const entry of range.entries) {
      if (entry.offset <= log.head.offset) continue; // a notice of it was faster
      this.#push(log, entry, entry.previous);
    }
    if (head.offset > log.head.offset) this.#clear(log, head, log.clearedAt);
    if (completed) this.#complete(log);
    else if (log.isAbsent && since && isSamePosition(since, log.head) && !isSamePosition(head, log.head))
      this.#move(log, head);
    // What came by notices while it was read is not of the log that was read.
    if (head.offset <= log.head.offset && head.offset > log.floor.offset && !log.has(head)) {
      this.#isReadWanted = true;
    }
  }

  /** @param before what was here when all of the same log was read: notices may have added to it meanwhile */
  #replace(range: RemoteRange, before?: EventLog): void {
    const log: EventLog = new EventLog(range.floor, this.limits, () => {
      if (this.#log === log) this.#tell((follower) => follower.leaving());
    });
    for (const { offset, mark, previous, at, event } of range.entries) {
      if (previous.offset > log.head.offset) log.clear(previous);
      log.push({ offset, mark, previous: log.head, at, event });
      this.#own.delete(mark);
    }
    if (range.head.offset > log.head.offset) log.clear(range.head);
    if (before?.has(range.head)) for (const entry of before.entriesAfter(range.head.offset)) log.push(entry);
    else if (before) this.#isReadWanted = true;
    log.clearedAt = range.clearedAt;
    log.completed = range.completed;
    this.#isShrunk = false;
    const isFirst = this.#log === undefined;
    this.#log = log;
    this.#passed.clear();
    this.#account();
    if (!isFirst) this.#tell((follower) => follower.replaced(log));
  }

  /** What a position stands for that a client has brought, after a read that was asked for it. */
  #find(position: Position, { begins }: RemoteRange): Position | undefined {
    const log = this.#log;
    if (!log || this.#isClosed) return undefined;
    if (log.has(position)) return position;
    const isBegin = log.floor.offset === 0 && begins.some((begin) => isSamePosition(begin, position));
    return isBegin ? log.floor : undefined;
  }

  /** Adds an entry and those that have waited for it, or finds out that something must be read. */
  #place(log: EventLog, entry: HeardEntry): void {
    if (log.has(entry)) return;
    if (entry.offset > log.head.offset && entry.previous > log.head.offset) return this.#hold(entry);
    for (let next: HeardEntry | undefined = entry; next; next = this.#early.get(log.head.offset)) {
      this.#early.delete(next.previous);
      const isNext = next.previous === log.head.offset && next.offset > log.head.offset;
      if (!isNext || !this.#isOfSameLog(log, next)) {
        this.#isReadWanted = true;
        return;
      }
      if (next.known && next.known.offset < next.previous) this.#rememberPassed(log);
      this.#push(log, next);
    }
    this.#arrivals.upTo(log.head);
    if (this.#early.size === 0 && !this.#isReadWanted) this.#stopTimer();
  }

  /** The first event of a channel that was not there follows on nothing yet, whatever the birth of its log is called. */
  #isOfSameLog(log: EventLog, { previous, known }: HeardEntry): boolean {
    if (known && (log.has(known) || this.#passed.get(known.offset) === known.mark)) return true;
    return log.isAbsent && previous === 0 && this.#hearsAll;
  }

  /** Keeps an entry until the one before it is there. */
  #hold(entry: HeardEntry): void {
    if (this.#early.size < MAX_EARLY) this.#early.set(entry.previous, entry);
    else this.#isReadWanted = true;
  }

  /** @param previous the position before it on the server, if there is a hole before that */
  #push(
    log: EventLog,
    { offset, mark, at, event }: Pick<HeardEntry, 'offset' | 'mark' | 'at' | 'event'>,
    previous: Position = log.head,
  ): void {
    if (previous.offset > log.head.offset) this.#clear(log, previous, log.clearedAt);
    // A position of nothing yet stays what the first entry follows on.
    const entry = { offset, mark, previous: log.head, at, event };
    this.#own.delete(mark);
    log.push(entry);
    if (this.#passed.size > 0) this.#pass(entry);
    this.#account();
    this.#tell((follower) => follower.appended(entry));
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

  #complete(log: EventLog): void {
    if (log.completed) return;
    log.completed = true;
    this.#tell((follower) => follower.completed());
  }

  #move(log: EventLog, nothingYet: Position): void {
    log.floor = log.head = nothingYet;
    this.#tell((follower) => follower.moved());
  }

  /** Lets go of everything up to a position, after it was offered; what comes after it stays. */
  #clear(log: EventLog, upTo: Position, clearedAt: number): void {
    if (upTo.offset > log.floor.offset) log.clear(upTo);
    log.clearedAt = clearedAt;
    this.#account();
  }

  #account(): void {
    if (this.#log && !this.#isClosed) this.memory?.holds(this, this.#log.bytes);
  }

  /** Tells those who follow now, but for those who stop before it is their turn. */
  #tell(news: (follower: LogFollower) => void): void {
    for (const follower of this.#followers) if (this.#followers.includes(follower)) news(follower);
  }

  #startTimer(after: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.resync().catch((error: unknown) => new Logger('SseHub').error(error));
    }, after).unref();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

const ignored = (): void => undefined;
