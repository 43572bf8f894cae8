import { Subject } from 'rxjs';
import { idLine, SharedText } from '../protocol/event-stream.js';
import { channelHash, formatId, namedId, type Position } from '../protocol/position.js';
import type { LatestPolicy } from '../sse.options.js';
import type { ChannelSettings } from '../sse.settings.js';
import type { FollowedLog, LogFollower, SseBackplane } from '../log/backplane.js';
import type { EventLog, LogEntry } from '../log/event-log.js';
import { LatestIndex } from '../log/latest-index.js';
import { PublishedEvent } from '../log/published-event.js';
import type { Gap, GapReason, SseEvent } from '../log/sse-event.js';
import type { ChannelRules } from './channel-definitions.js';
import { Deliveries, deliveryOf, type Delivery } from './deliveries.js';
import type { RunQueue, Task } from './run-queue.js';

/** Somebody who reads a channel. */
export interface ChannelReader {
  readonly channel: Channel;
  /**
   * The log has grown, or has ended, and is to be read: `at once` if entries are about to leave it, else in the
   * reader's turn.
   */
  changed(when: 'at once' | 'in turn'): void;
  /** The hub was closed. */
  end(): void;
}

/** Some events in a row as they go to every client that reads them. */
export class Batch extends SharedText {
  constructor(
    text: string,
    readonly delivery: Delivery,
    /** The position of its last event. */
    readonly upTo: Position,
    /** `not stored`: its last event has no data, so several browser engines do not remember its id. */
    readonly idAtClient: 'stored' | 'not stored' = 'stored',
  ) {
    super(text);
  }
}

/** Characters after which a batch takes no further event: a client may be full by then. */
const BATCH_LENGTH = 64 * 1024;
/** Batches that are remembered: clients that come back together are often behind by the same events. */
const BATCHES = 8;

/** Marks a closed channel: there is nothing left to stop. */
const CLOSED: Omit<FollowedLog, 'log'> = { stop: () => undefined };

/**
 * A channel that somebody listens to: its log, its readers, and one Subject that tells them that the log has grown.
 *
 * It opens when it is made: `opened` resolves when its log is there to be read. It is closed when its last reader has
 * left (see channels.ts).
 */
export class Channel implements LogFollower, Task {
  /** Resolves when the log is there to be read. */
  readonly opened: Promise<void>;
  readonly readers = new Set<ChannelReader>();
  /**
   * Tells the readers to read the log, which has grown or was completed: at once, or each in its turn. That is once a
   * turn, however much was published.
   */
  readonly #changes = new Subject<'at once' | 'in turn'>();
  /**
   * Each with the offset after which it begins; they are right while the log's head is at `#batchesUpTo`. No Map, as V8 has
   * a cleared Map's old table refer to its new one: a table that has grown old keeps all that follow, with their batches.
   */
  #batches: { readonly after: number; readonly batch: Batch }[] = [];
  #batchesUpTo = -1;
  /** The batch with which most clients came to where those begin; undefined where no client takes them compressed. */
  #before: Batch | undefined;
  /** By policy; made when a cursor first needs it. */
  readonly #latest = new Map<LatestPolicy, LatestIndex>();
  #followed: Omit<FollowedLog, 'log'> | undefined;
  #log: EventLog | undefined;
  /** The newest event when the log was opened: events after it are live. */
  #liveAfter: Position | undefined;
  /** Whether it waits in the run queue. */
  #isDue = false;
  /** Four characters of the ids of its events. */
  readonly hash: string;
  /** The pattern of its definition; undefined where none matches. */
  readonly definition: string | undefined;
  readonly settings: ChannelSettings;
  /** Made when somebody hears of deliveries. */
  #deliveries: Deliveries | undefined;
  /** Its name as ids have it; made for the first of them. */
  #encodedName: string | undefined;

  constructor(
    readonly name: string,
    { definition, settings }: ChannelRules,
    private readonly hub: string,
    backplane: SseBackplane,
    readonly queue: RunQueue,
  ) {
    this.hash = channelHash(name);
    this.definition = definition;
    this.settings = settings;
    this.#changes.subscribe((when) => {
      for (const reader of this.readers) reader.changed(when);
    });
    this.opened = backplane.follow(name, settings, this).then((followed) => {
      if (this.#followed === CLOSED) followed.stop();
      else this.#followed = followed;
      this.#log ??= followed.log;
      this.#liveAfter ??= followed.log.head;
    });
  }

  /** Whether events carry ids and clients resume. */
  get hasHistory(): boolean {
    return this.settings.history !== undefined;
  }

  /**
   * Brings the log up to date with what other processes have stored, and then finds the position in it that corresponds to one
   * which it did not hold before. Undefined where the log knows all there is.
   */
  locate(position: Position): Promise<Position | undefined> | undefined {
    return this.#followed?.locate?.(position);
  }

  /** Fetches the entries that only this process had to drop. Undefined where nothing is missing. */
  refill(): Promise<void> | undefined {
    return this.#followed?.refill?.();
  }

  /** Whether a position is that of an event in the log, or of the last that left it. */
  has(position: Position): boolean {
    return this.log.has(position);
  }

  /** The id that names a position of the channel; the empty string without history. */
  idOf(position: Position): string {
    return this.hasHistory ? formatId(position, this.hash) : '';
  }

  /** The id that names the channel, and a position in it. */
  namedId(position: Position): string {
    this.#encodedName ??= encodeURIComponent(this.name);
    return namedId(this.#encodedName, this.hasHistory ? formatId(position, this.hash) : undefined);
  }

  get isOpen(): boolean {
    return this.#log !== undefined;
  }

  /** To be read once `opened` has resolved. */
  get log(): EventLog {
    return this.#log as EventLog;
  }

  /** The position for a reader that begins now; undefined until the log is open. */
  get present(): Position | undefined {
    return this.#log?.head;
  }

  /** The position at which readers begin that have waited for the log to open. */
  get liveAfter(): Position {
    return this.#liveAfter as Position;
  }

  appended(entry: LogEntry): void {
    if (!this.#log) {
      this.#liveAfter ??= entry.previous;
      return;
    }
    for (const index of this.#latest.values()) index.add(entry);
    this.#announce();
  }

  completed(): void {
    this.#announce();
  }

  moved(): void {
    this.#announce();
  }

  leaving(): void {
    this.readNow();
  }

  replaced(log: EventLog): void {
    // First the readers get what they can take of the old log.
    this.readNow();
    this.#log = log;
    this.#batches = [];
    this.#before = undefined;
    this.#latest.clear();
    this.#liveAfter = log.floor;
    this.#announce();
  }

  run(): void {
    this.#isDue = false;
    this.#changes.next('in turn');
  }

  /** Has the readers read what there is, as much as each can take. */
  readNow(): void {
    this.#changes.next('at once');
  }

  /** The index of a policy; the first call makes it, of the events that the log holds then. */
  latest(policy: LatestPolicy): LatestIndex {
    let index = this.#latest.get(policy);
    if (!index) {
      index = new LatestIndex(policy, this.log, (entry) => this.event(entry));
      this.#latest.set(policy, index);
    }
    return index;
  }

  /** The events after an offset, as many as make a batch; there must be one. */
  batchAfter(offset: number): Batch {
    const { log } = this;
    if (this.#batchesUpTo !== log.head.offset) {
      this.#forgetBatches();
      this.#batchesUpTo = log.head.offset;
    }
    for (const { after, batch } of this.#batches) if (after === offset) return batch;
    const batch = this.batchOf(log.entriesAfter(offset));
    batch.follows = this.#mostSent(offset);
    if (this.#batches.length >= BATCHES) this.#forgetBatches();
    this.#batches.push({ after: offset, batch });
    return batch;
  }

  /** Keeps the one that a coming batch may refer to. What those here refer to is let go of: no client gets them any more. */
  #forgetBatches(): void {
    this.#before = this.#mostSent(this.#batchesUpTo);
    for (const { batch } of this.#batches) batch.follows = undefined;
    this.#batches = [];
  }

  /** The batch up to an offset that most clients were sent compressed; undefined if none was. */
  #mostSent(offset: number): Batch | undefined {
    let most = this.#before?.upTo.offset === offset ? this.#before : undefined;
    for (const { batch } of this.#batches) {
      const sent = batch.upTo.offset === offset ? (batch.deflated?.sent ?? 0) : 0;
      if (sent > (most?.deflated?.sent ?? 0)) most = batch;
    }
    return most;
  }

  /** Counts events that were handed on to a stream. To be called only where somebody hears of deliveries. */
  delivered(delivery: Delivery, stretch: 'past' | 'live'): void {
    this.#deliveries ??= this.#makeDeliveries();
    this.#deliveries.add(delivery, stretch);
  }

  #makeDeliveries(): Deliveries {
    const { hub, name, definition, queue } = this;
    return new Deliveries({ hub, channel: name, definition }, queue);
  }

  published(entry: LogEntry): PublishedEvent {
    return PublishedEvent.of(this.name, this.log, entry, this.hasHistory ? this.hash : undefined);
  }

  event(entry: LogEntry): SseEvent {
    return this.published(entry).event;
  }

  /** The data of a `gap` event that tells what is left now. @param requested the position that cannot be served */
  gap(reason: GapReason, requested: string): Gap {
    const oldest = this.log.at(0);
    return {
      channel: this.name,
      reason,
      requested,
      oldest: oldest && this.hasHistory ? this.idOf(oldest) : null,
      latest: this.idOf(this.log.head),
    };
  }

  close(): void {
    this.#followed?.stop();
    this.#followed = CLOSED;
  }

  #announce(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.queue.add(this);
  }

  /** A batch of the first of these entries, as many as `BATCH_LENGTH` takes. */
  batchOf(entries: Iterable<LogEntry>): Batch {
    const hash = this.hasHistory ? this.hash : undefined;
    let text = '';
    const taken: LogEntry[] = [];
    for (const entry of entries) {
      const { event } = entry;
      taken.push(entry);
      const id = hash === undefined ? event.id : formatId(entry, hash);
      text += id === undefined ? event.body : idLine(id) + event.body;
      if (text.length >= BATCH_LENGTH) break;
    }
    const { offset, mark, event } = taken.at(-1) as LogEntry;
    const idAtClient = event.data === undefined ? 'not stored' : 'stored';
    return new Batch(text, deliveryOf(taken), { offset, mark }, idAtClient);
  }
}
