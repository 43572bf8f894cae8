import { Logger } from '@nestjs/common';
import type { FollowedLog, LogFollower, LogRange } from '../../hub/backplane.js';
import { EventLog, type LogEntry } from '../../hub/event-log.js';
import type { Position } from '../../protocol/position.js';
import type { HistoryOptions } from '../../sse.options.js';
import type { MirrorMemory } from './mirror-memory.js';

/** What a server keeps of a log after a position: all of it, up to `head`. */
export interface RemoteRange extends LogRange {
  /** What was published up to here was purged. */
  readonly clearedAt: number;
  readonly completed: boolean;
}

/**
 * Reads what a server keeps after a position of the mirror, or all that it keeps when it has none or its
 * epoch is another. It starts a new epoch if the server's log does not reach up to that position.
 */
export type ReadRange = (known: Position | undefined) => Promise<RemoteRange>;

/** Milliseconds that a missing entry is given to arrive by itself: an answer may overtake the notices before it. */
const PATIENCE = 20;
/** Milliseconds after which a read that failed is tried again. */
const RETRY = 1_000;
/** Entries that are held until the one before them is there; what is beyond is read. */
const MAX_EARLY = 1_000;

interface Waiting extends Position {
  readonly resolve: () => void;
}

/**
 * A copy of one channel's log, kept up to date by the server's notices and by the answers to what this
 * process appends. What is missing between two entries is read, by one read at a time; what comes twice
 * is passed over.
 *
 * Its log is there once {@link open} has resolved.
 */
export class LogMirror {
  #log: EventLog | undefined;
  /** Never changed but replaced, so that those may leave who are being told. */
  #followers: readonly LogFollower[] = [];
  /** Entries whose predecessor is not here yet, by the predecessor's offset. */
  readonly #early = new Map<number, LogEntry & { readonly epoch: string }>();
  /** The newest entry that was heard of, and may not be here yet. */
  #heard: Position | undefined;
  #waiting: Waiting[] = [];
  #reading: Promise<void> | undefined;
  #isReadWanted = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(
    readonly channel: string,
    private readonly limits: Required<HistoryOptions>,
    private readonly read: ReadRange,
    /** What all mirrors of the process have in common. */
    private readonly memory?: MirrorMemory,
  ) {}

  get log(): EventLog {
    return this.#log as EventLog;
  }

  get isOpen(): boolean {
    return this.#log !== undefined;
  }

  get isFollowed(): boolean {
    return this.#followers.length > 0;
  }

  /** Whether it has all that was heard of. */
  get isUpToDate(): boolean {
    return this.isOpen && !this.#reading && !this.#isReadWanted && !this.#heard;
  }

  /** The newest that this process knows of the log. */
  get position(): Position | undefined {
    return this.#log && { epoch: this.#log.epoch, offset: this.#log.head };
  }

  /** Reads the log for the first time. Notices must come by then. Rejects with the error of the read. */
  async open(): Promise<void> {
    await this.resync();
  }

  /** To be called once it is open. */
  follow(follower: LogFollower): FollowedLog {
    this.#followers = [...this.#followers, follower];
    return { log: this.log, refresh: () => this.resync(), stop: () => this.#leave(follower) };
  }

  /** Whether an entry is in the log, or was: a notice of it need not be decoded. */
  has({ epoch, offset }: Position): boolean {
    return this.#log?.epoch === epoch && offset <= this.#log.head;
  }

  /**
   * Takes in an entry that the server tells of.
   *
   * @returns when followers were told of it, or it cannot be had at present
   */
  async add(epoch: string, entry: LogEntry): Promise<void> {
    const { offset } = entry;
    if (this.#isClosed || this.has({ epoch, offset })) return;
    if (this.#log && this.#log.epoch !== epoch) return this.resync();
    if (this.#log?.head === entry.previous) {
      this.#push(entry);
      return this.#settle();
    }
    if (this.#early.size < MAX_EARLY) this.#early.set(entry.previous, { epoch, ...entry });
    if (this.#heard?.epoch !== epoch || this.#heard.offset < offset) this.#heard = { epoch, offset };
    const told = new Promise<void>((resolve) => this.#waiting.push({ epoch, offset, resolve }));
    this.#settle();
    return told;
  }

  /** What was published up to an offset was purged. Resolves when it is gone here too. */
  async purged(epoch: string, upTo: number): Promise<void> {
    if (this.#isClosed || !this.#log) return;
    if (!this.has({ epoch, offset: upTo })) return this.resync();
    this.#empty(upTo);
  }

  /** The channel was completed after an offset. Resolves when followers were told. */
  async completed(epoch: string, head: number): Promise<void> {
    if (this.#isClosed || !this.#log) return;
    if (this.#log.epoch !== epoch || this.#log.head !== head) return this.resync();
    this.#complete();
  }

  /** Reads what may have been missed. Where that fails it is tried again, until it is there or closed. */
  resync(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isReadWanted = true;
    this.#stopTimer();
    this.#reading ??= this.#readWanted().finally(() => {
      this.#reading = undefined;
      this.#settle();
    });
    return this.#reading;
  }

  /** Lets go of what is older than the limit. */
  expire(now: number): void {
    this.#log?.expire(now);
    this.#account();
  }

  /** Lets go of the oldest entries until the others have at most so many bytes; the newest stays. */
  shrink(bytes: number): void {
    this.#log?.shrink(bytes);
    this.#account();
  }

  /** Followers are told nothing afterwards. */
  close(): void {
    this.#isClosed = true;
    this.#followers = [];
    this.#early.clear();
    this.#stopTimer();
    this.#release(() => true);
    this.memory?.forget(this);
  }

  async #readWanted(): Promise<void> {
    while (this.#isReadWanted && !this.#isClosed) {
      this.#isReadWanted = false;
      try {
        const range = await this.read(this.position);
        if (this.#isClosed) return;
        this.#take(range);
      } catch (error) {
        this.#release(() => true);
        if (!this.#log) throw error;
        this.#isReadWanted = true;
        this.#startTimer(RETRY);
        return;
      }
    }
  }

  #take(range: RemoteRange): void {
    const log = this.#log;
    if (log?.epoch !== range.epoch) {
      this.#replace(range);
    } else {
      if (range.clearedAt > log.clearedAt) this.#empty(range.clearedAt);
      for (const entry of range.entries) {
        if (entry.offset <= log.head) continue; // a notice of it was faster
        if (entry.previous > log.head) this.#empty(entry.previous);
        this.#push(entry);
      }
      if (range.head > log.head) this.#empty(range.head);
      if (range.completed) this.#complete();
    }
    this.#release(({ epoch }) => epoch !== range.epoch);
  }

  #replace(range: RemoteRange): void {
    const log = new EventLog(range.epoch, this.limits);
    log.floor = log.head = range.floor;
    log.clearedAt = range.clearedAt;
    for (const entry of range.entries) {
      if (entry.previous > log.head) log.clear(entry.previous);
      log.push(entry);
    }
    if (range.head > log.head) log.clear(range.head);
    log.completed = range.completed;
    const isFirst = this.#log === undefined;
    this.#log = log;
    this.#account();
    if (!isFirst) this.#tell((follower) => follower.replaced(log));
  }

  /** Goes on with the entries that were early, and sees to what is still missing. */
  #settle(): void {
    const log = this.#log;
    if (!log || this.#isClosed) return;
    for (let next = this.#early.get(log.head); next; next = this.#early.get(log.head)) {
      this.#early.delete(log.head);
      if (next.epoch !== log.epoch || next.offset <= log.head) break;
      this.#push(next);
    }
    this.#release(({ epoch, offset }) => epoch === log.epoch && offset <= log.head);
    if (this.#heard && this.#heard.epoch === log.epoch && this.#heard.offset > log.head) {
      if (!this.#reading) this.#startTimer(PATIENCE);
      return;
    }
    this.#heard = undefined;
    this.#early.clear();
    if (!this.#reading && !this.#isReadWanted) this.#stopTimer();
  }

  #push(entry: LogEntry): void {
    this.log.push(entry);
    this.#account();
    this.#tell((follower) => follower.appended(entry));
  }

  #complete(): void {
    if (this.log.completed) return;
    this.log.completed = true;
    this.#tell((follower) => follower.completed());
  }

  /** Lets go of everything up to an offset; what comes after it has been told of, and stays. */
  #empty(upTo: number): void {
    const { log } = this;
    if (upTo <= log.clearedAt) return;
    this.#tell((follower) => follower.emptying());
    const kept = [...log.entriesAfter(upTo)];
    log.clear(upTo);
    for (const entry of kept) log.push(entry);
    this.#account();
  }

  #account(): void {
    if (this.#log && !this.#isClosed) this.memory?.holds(this, this.#log.bytes);
  }

  /** Tells those who follow now, but for those who stop before it is their turn. */
  #tell(news: (follower: LogFollower) => void): void {
    for (const follower of this.#followers) if (this.#followers.includes(follower)) news(follower);
  }

  #leave(follower: LogFollower): void {
    this.#followers = this.#followers.filter((other) => other !== follower);
  }

  #release(isDone: (waiting: Waiting) => boolean): void {
    if (this.#waiting.length === 0) return;
    const left: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (isDone(waiting)) waiting.resolve();
      else left.push(waiting);
    }
    this.#waiting = left;
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
