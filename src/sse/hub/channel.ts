import { Subject } from 'rxjs';
import { chunk, idLine } from '../protocol/event-stream.js';
import { formatPosition } from '../protocol/position.js';
import type { LatestPolicy } from '../sse.options.js';
import type { ChannelSettings } from '../sse.settings.js';
import type { FollowedLog, LogFollower } from './backplane.js';
import type { EventLog, LogEntry } from './event-log.js';
import { LatestIndex } from './latest-index.js';
import { publishedEvent } from './published-event.js';
import type { SseEvent } from './sse-event.js';
import type { Turn, TurnTask } from './turn.js';

/** Some events in a row as they go to every client that reads them, in the two forms that are written. */
export class Batch {
  #chunk: Buffer | undefined;

  constructor(
    readonly text: string,
    /** The offset of its last event. */
    readonly upTo: number,
  ) {}

  /** A chunk of HTTP/1.1. */
  get chunk(): Buffer {
    return (this.#chunk ??= chunk(this.text));
  }
}

/** Characters after which a batch takes no further event: a client may be full by then. */
const BATCH_LENGTH = 64 * 1024;
/** Batches that are remembered: clients that come back together are often behind by the same events. */
const BATCHES = 8;

/** A channel that somebody listens to: its log, and one Subject that says the log has grown. */
export class Channel implements LogFollower, TurnTask {
  /** Resolves when the log is there to be read. */
  readonly opened: Promise<void>;
  /** The log has grown, or was completed: once a turn, however much was published. What it says is to be read at once, or in its turn. */
  readonly #changes = new Subject<'at once' | 'in turn'>();
  readonly changes = this.#changes.asObservable();
  readonly #batches = new Map<number, Batch>();
  #batchesOf = -1;
  /** For each policy that some client here has. */
  readonly #latest = new Map<LatestPolicy, LatestIndex>();
  #followed: FollowedLog | undefined;
  #log: EventLog | undefined;
  /** The newest offset when the log was opened: what comes after it is live. */
  #openedAt: number | undefined;
  #unread = 0;
  #unreadBytes = 0;
  #isDue = false;
  /** Its readers are being told, and publish themselves perhaps. */
  #isReading = false;
  #closed = false;

  constructor(
    readonly name: string,
    readonly settings: ChannelSettings,
    follow: (follower: LogFollower) => Promise<FollowedLog>,
    private readonly turns: Turn,
  ) {
    this.opened = follow(this).then((followed) => {
      this.#followed = followed;
      this.#log ??= followed.log;
      this.#openedAt ??= followed.log.head;
      if (this.#closed) followed.stop();
    });
  }

  /** Whether events carry ids and clients resume. */
  get hasHistory(): boolean {
    return this.settings.history !== undefined;
  }

  /** Has the log brought up to date with what other processes have stored. Undefined where there are none. */
  refresh(): Promise<void> | undefined {
    return this.#followed?.refresh?.();
  }

  get isOpen(): boolean {
    return this.#log !== undefined;
  }

  /** To be read once `opened` has resolved. */
  get log(): EventLog {
    return this.#log as EventLog;
  }

  /** Where one that begins to read now goes on from; undefined until the log is open. */
  get present(): number | undefined {
    return this.#log?.head;
  }

  /** Where those go on from who waited for the log to open. */
  get openedAt(): number {
    return this.#openedAt as number;
  }

  appended(entry: LogEntry): void {
    if (!this.#log) {
      this.#openedAt ??= entry.previous;
      return;
    }
    for (const index of this.#latest.values()) index.add(entry);
    this.#unread++;
    this.#unreadBytes += entry.event.bytes;
    this.#announce();
    // A publisher that does not let go of the event loop must not push events out of the log that
    // nobody had a chance to read. So they are read before it is full.
    const { count, bytes } = this.log.limits;
    const isHalfFull = this.#unread * 2 >= count || this.#unreadBytes * 2 >= bytes;
    if (isHalfFull && !this.#isReading) this.readNow();
  }

  completed(): void {
    this.#announce();
  }

  emptying(): void {
    this.readNow();
  }

  replaced(log: EventLog): void {
    // Those who read the one before get what they can take of it, and then the news.
    this.readNow();
    this.#log = log;
    this.#batches.clear();
    this.#latest.clear();
    this.#openedAt = log.floor;
    this.#announce();
  }

  turn(): void {
    this.#isDue = false;
    this.#tell('in turn');
  }

  /** Has everybody read what there is, who can take it. */
  readNow(): void {
    this.#tell('at once');
  }

  /** The newest event of each key, from now on. */
  latest(policy: LatestPolicy): LatestIndex {
    let index = this.#latest.get(policy);
    if (!index) {
      index = new LatestIndex(policy, this.log, (entry) => this.event(entry));
      this.#latest.set(policy, index);
    }
    return index;
  }

  #tell(when: 'at once' | 'in turn'): void {
    this.#unread = 0;
    this.#unreadBytes = 0;
    this.#isReading = true;
    try {
      this.#changes.next(when);
    } finally {
      this.#isReading = false;
    }
  }

  /** The events after an offset, as many as make a batch; there must be one. */
  batchAfter(offset: number): Batch {
    const { log } = this;
    if (this.#batchesOf !== log.head) {
      this.#batches.clear();
      this.#batchesOf = log.head;
    }
    let batch = this.#batches.get(offset);
    if (!batch) {
      batch = this.#makeBatch(offset);
      if (this.#batches.size >= BATCHES) this.#batches.clear();
      this.#batches.set(offset, batch);
    }
    return batch;
  }

  event(entry: LogEntry): SseEvent {
    return publishedEvent(this.name, this.log.epoch, entry, this.hasHistory);
  }

  close(): void {
    this.#closed = true;
    this.#followed?.stop();
  }

  #announce(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.turns.add(this);
  }

  /** Some events in a row, or some of them. */
  batchOf(entries: Iterable<LogEntry>): Batch {
    const { hasHistory } = this;
    const { epoch } = this.log;
    let text = '';
    let upTo = 0;
    for (const { offset, event } of entries) {
      const id = hasHistory ? formatPosition({ epoch, offset }) : event.id;
      text += id === undefined ? event.body : idLine(id) + event.body;
      upTo = offset;
      if (text.length >= BATCH_LENGTH) break;
    }
    return new Batch(text, upTo);
  }

  #makeBatch(offset: number): Batch {
    return this.batchOf(this.log.entriesAfter(offset));
  }
}
