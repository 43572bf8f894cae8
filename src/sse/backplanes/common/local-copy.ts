import { Logger } from '@nestjs/common';
import type { LogFollower } from '../../log/backplane.js';
import type { EventLog } from '../../log/event-log.js';
import { isSamePosition, type Position } from '../../protocol/position.js';
import type { HistoryOptions } from '../../sse.options.js';
import type { CopyMemory } from './copy-memory.js';
import { ReceivedLog, type Verdict } from './received-log.js';
import type { Notice, ReceivedEntry, RemoteRange } from './remote-logs.js';

/** The calls of {@link RemoteLogs} that a copy needs, for its channel. */
export interface CopySource {
  read(known: Position | undefined, asked: readonly Position[]): Promise<RemoteRange>;
  noticesArrived(): Promise<void>;
}

/** Is told which copies may lack events that the server has. */
export interface CopyWatch {
  /** An open copy may lack events until it was read again. */
  interrupted(copy: LocalCopy): void;
  /** A copy lacks nothing any more, or is closed. */
  caughtUp(copy: LocalCopy): void;
}

/** Milliseconds that a missing entry is given to arrive by itself: an answer may overtake the notices before it. */
const PATIENCE = 20;
/** Milliseconds after which a read that failed is tried again. */
const RETRY = 1_000;

/** A position that a client has brought and the copy does not hold. */
interface Question {
  readonly position: Position;
  readonly resolve: (position: Position | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** A caller that waits until followers were told of the entry at an offset. */
interface Arrival {
  readonly offset: number;
  readonly resolve: () => void;
}

/**
 * This instance's copy of one channel's log on a server. Notices, and the answers to what this process appends, keep
 * it up to date; what they leave open is read from the server, by one read at a time.
 *
 * ```text
 *         first read                    shrink(): memory was needed
 *  not open ───────▶ whole ◀─────────────────────────────────────────▶ shrunk
 *                      │       a read of everything that is kept         │
 *                      └───────────────▶ closed ◀────────────────────────┘
 * ```
 *
 * `#state` begins as `whole`; the copy is open as soon as {@link ReceivedLog} has a log.
 *
 * `#reading` is the read under way, `#due` the aim of the next one. While one is under way, another may become due, and
 * follows it. Otherwise a due read waits for `#timer`.
 *
 * {@link ReceivedLog} holds the entries, and proves that they are of one log.
 */
export class LocalCopy {
  readonly #received: ReceivedLog;
  /** `shrunk`: the server has older entries that were let go of here, for lack of memory. */
  #state: 'whole' | 'shrunk' | 'closed' = 'whole';
  /** The aim of the next read: the events after the head, or everything that the server keeps. */
  #due: 'nothing' | 'news' | 'everything' = 'nothing';
  #reading: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #arrivals: Arrival[] = [];
  readonly #questions: Question[] = [];

  constructor(
    limits: Required<HistoryOptions>,
    private readonly source: CopySource,
    /** Shared by all copies of the process. */
    private readonly memory?: CopyMemory,
    private readonly watch?: CopyWatch,
  ) {
    this.#received = new ReceivedLog(limits, (bytes) => {
      if (this.#state !== 'closed') memory?.holds(this, bytes);
    });
  }

  /** To be used once it is open. */
  get log(): EventLog {
    return this.#received.log as EventLog;
  }

  get isOpen(): boolean {
    return this.#received.log !== undefined;
  }

  /** To be called once it is open. @returns ends that, and answers whether it had not ended yet */
  follow(follower: LogFollower): () => boolean {
    return this.#received.followers.add(follower);
  }

  /** As `FollowedLog.locate()` (log/backplane.ts). */
  locate(position: Position): Promise<Position | undefined> {
    if (this.#state === 'closed') return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#questions.push({ position, resolve, reject });
      this.catchUp().catch(reject);
    });
  }

  /** As `FollowedLog.refill()`. */
  refill(): Promise<void> | undefined {
    if (this.#state !== 'shrunk') return undefined;
    this.#due = 'everything';
    // By `locate()`, which rejects when the read fails.
    return this.locate(this.log.floor).then(() => undefined);
  }

  /** This process begins to append an event. */
  expect(mark: string): void {
    this.#received.expect(mark);
  }

  /** As {@link ReceivedLog.settle}. */
  settle(mark: string, outcome: 'answered' | 'other'): boolean {
    return this.#received.settle(mark, outcome);
  }

  /** Takes in a notice of the server. */
  receive(notice: Notice): Promise<void> {
    switch (notice.kind) {
      case 'changed':
        return this.catchUp();
      case 'purged':
        return this.purged(notice.position);
      case 'completed':
        return this.completed(notice.position);
      case 'entry': {
        if (this.#received.takeNotice(notice.position) === 'known') return Promise.resolve();
        const entry = notice.entry();
        return entry ? this.add(entry) : this.catchUp();
      }
    }
  }

  /** Takes in an entry. Resolves when followers were told of it, or it cannot be had at present. */
  async add(entry: ReceivedEntry): Promise<void> {
    if (this.#state === 'closed') return;
    this.#take(this.#received.add(entry));
    const caughtUp = this.#due === 'nothing' ? undefined : this.catchUp();
    if (this.#received.has(entry)) return;
    if (caughtUp) return caughtUp;
    if (!this.#reading && this.isOpen) this.#startTimer(PATIENCE);
    await new Promise<void>((resolve) => this.#arrivals.push({ offset: entry.offset, resolve }));
  }

  /** All up to an event was purged. Resolves when it is gone here too. */
  async purged(upTo: Position): Promise<void> {
    if (this.#state === 'closed') return;
    // By another read, as one that is under way may have looked before the purge.
    if (!this.#received.has(upTo)) await this.catchUp();
    else this.#received.clear(this.log, upTo, upTo.offset);
  }

  /** The channel was completed after an event. Resolves when followers were told. */
  async completed(head: Position): Promise<void> {
    if (this.#state === 'closed') return;
    if (!this.isOpen || !isSamePosition(this.log.head, head)) await this.catchUp();
    else this.#received.complete(this.log);
  }

  /**
   * Reads what may have been missed. The first read opens the copy; the channel must be subscribed to before. Once the
   * copy is open, a read that fails is tried again until it succeeds or the copy is closed.
   *
   * @returns when it was read, or has failed; rejects only if the copy is not open yet
   */
  catchUp(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    if (this.#due === 'nothing') this.#due = 'news';
    this.#stopTimer();
    return (this.#reading ??= this.#readWhileDue());
  }

  /** Notices may be missing from now on, until the next read. */
  interrupted(): void {
    this.#received.interrupted();
    if (this.isOpen && this.#state !== 'closed') this.watch?.interrupted(this);
  }

  /** Lets go of what is older than the limit. */
  expire(now: number): void {
    this.#received.expire(now);
  }

  /**
   * Lets go of the oldest entries until the others have at most so many bytes; the newest stays. The server still has
   * them, and they are read again for those who need them.
   */
  shrink(bytes: number): void {
    if (this.#received.shrink(bytes) && this.#state === 'whole') this.#state = 'shrunk';
  }

  /** Followers are told nothing afterwards. */
  close(): void {
    this.#state = 'closed';
    this.#received.close();
    this.#stopTimer();
    release(this.#arrivals.splice(0));
    for (const { resolve } of this.#questions.splice(0)) resolve(undefined);
    this.memory?.forget(this);
    this.watch?.caughtUp(this);
  }

  async #readWhileDue(): Promise<void> {
    try {
      while (this.#due !== 'nothing' && this.#state !== 'closed') {
        const due = this.#due;
        this.#due = 'nothing';
        await this.#read(due);
      }
      this.watch?.caughtUp(this);
    } catch (error) {
      if (this.#state === 'closed') return;
      if (!this.isOpen) throw error;
      this.watch?.interrupted(this);
      this.#want();
      this.#startTimer(RETRY);
    } finally {
      // In the same turn as the last look at `#due`: no call of `catchUp()` can come between and be lost.
      this.#reading = undefined;
      if (this.#received.hasEarly && this.#state !== 'closed') this.#startTimer(PATIENCE);
    }
  }

  async #read(what: 'news' | 'everything'): Promise<void> {
    this.#received.readBegins();
    const arrivals = this.#arrivals.splice(0);
    const questions = this.#questions.splice(0);
    try {
      const positions = questions.map(({ position }) => position);
      const known = what === 'news' && !this.#asksForOlder(positions) ? this.#received.log?.head : undefined;
      // The copy itself knows whether the log holds a position between its floor and its head.
      const mayBeOnServer = ({ offset }: Position): boolean => offset === 0 || offset > (known?.offset ?? 0);
      const range = await this.source.read(known, positions.filter(mayBeOnServer));
      await this.#takeRange(known, range);
      for (const { position, resolve } of questions) resolve(this.#find(position, range));
    } catch (error) {
      this.#received.interrupted();
      for (const { reject } of questions) reject(error);
      throw error;
    } finally {
      release(arrivals);
    }
  }

  /** Whether a position was let go of here that the server may still hold. */
  #asksForOlder(positions: readonly Position[]): boolean {
    return (
      this.#state === 'shrunk' && positions.some(({ offset }) => offset > 0 && offset < this.log.floor.offset)
    );
  }

  async #takeRange(known: Position | undefined, range: RemoteRange): Promise<void> {
    const { log } = this.#received;
    const isSame = log && known && (range.since || (await this.#leadsUpTo(log, known, range)));
    if (this.#state === 'closed') return;
    if (isSame) this.#take(this.#received.goOn(log, range));
    else if (log && known && !isSamePosition(log.head, known)) {
      // Notices came meanwhile of events that were stored after the read: read again.
      return this.#want();
    } else {
      this.#state = 'whole';
      this.#take(this.#received.replace(range, known ? undefined : log));
    }
    this.#take(this.#received.addEarly());
    this.#arrive();
  }

  /**
   * Whether it is the same log, although the server no longer holds our head: then it has let go of the head, and the
   * notices on their way lead up to the range that was read. Waits for them in any case. Those of a former log must not
   * come after the range was put in place, or they would pass for the first ones of the new log.
   */
  async #leadsUpTo(log: EventLog, known: Position, { floor, head }: RemoteRange): Promise<boolean> {
    await this.source.noticesArrived();
    return floor.offset > known.offset && log.has(head);
  }

  /** The position of the log that a client's position stands for, after a read that has asked about it. */
  #find(position: Position, { begins }: RemoteRange): Position | undefined {
    if (this.#state === 'closed' || !this.isOpen) return undefined;
    const { log } = this;
    if (log.has(position)) return position;
    const isBegin = log.floor.offset === 0 && begins.some((begin) => isSamePosition(begin, position));
    return isBegin ? log.floor : undefined;
  }

  #take(verdict: Verdict): void {
    if (verdict === 'to be read') return this.#want();
    if (!this.isOpen) return;
    this.#arrive();
    if (!this.#received.hasEarly && this.#due === 'nothing') this.#stopTimer();
  }

  #want(): void {
    if (this.#due === 'nothing') this.#due = 'news';
  }

  #arrive(): void {
    if (this.#arrivals.length === 0) return;
    const { offset } = this.log.head;
    const waiting = this.#arrivals;
    this.#arrivals = waiting.filter((arrival) => arrival.offset > offset);
    release(waiting.filter((arrival) => arrival.offset <= offset));
  }

  #startTimer(after: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.catchUp().catch((error: unknown) => new Logger('SseHub').error(error));
    }, after).unref();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function release(arrivals: readonly Arrival[]): void {
  for (const { resolve } of arrivals) resolve();
}
