import type { Batch, Channel, ChannelReader } from '../channels/channel.js';
import { deliveryOf } from '../channels/deliveries.js';
import type { Task } from '../channels/run-queue.js';
import type { StreamPosition } from '../connection-details.js';
import { channelDelivered } from '../diagnostics/diagnostics.js';
import { gapAt, type EventLog, type LogEntry, type OwedGap } from '../log/event-log.js';
import type { LatestIndex } from '../log/latest-index.js';
import type { PublishedEvent } from '../log/published-event.js';
import type { GapReason, SseEvent } from '../log/sse-event.js';
import type { LastEventId, NamedPosition, Position, Requested } from '../protocol/position.js';
import type { Replay, SlowPolicy } from '../sse.options.js';
import type { StreamSubscription, StreamRequest } from './channel-stream.js';
import { notHadAsCopy, readEarlierCopies } from './event-copies.js';
import type { Preface } from './preface.js';
import type { Sink } from './sink.js';
import type { StreamReader } from './stream-reader.js';

/** Each phase with the data that it alone has; see {@link Cursor}. */
type Phase =
  | Opening
  | { readonly kind: 'gap'; readonly gap: OwedGap; readonly preface: Preface | undefined }
  | { readonly kind: 'preface'; readonly preface: Preface }
  | typeof READING
  | typeof ENDED;

interface Opening {
  readonly kind: 'opening';
  /** The position that the client sent, or that the stream was asked to begin from. */
  readonly lastEventId: LastEventId;
  readonly replay: Replay | undefined;
  /** The newest event when the stream was asked for; undefined while the channel was not open. */
  readonly present: Position | undefined;
  /** The answer of the backplane, if it was asked to bring the log up to date. */
  readonly located?: { readonly position: Position | undefined };
  /** A preface that is being prepared for the start. */
  readonly preface?: Preface;
}

// Shared by all cursors: a phase without data costs no memory.
const READING = { kind: 'reading' } as const;
const ENDED = { kind: 'ended' } as const;
const UNREAD: Position = { offset: 0, mark: '' };
const NOBODY: readonly StreamSubscription[] = [];

/** Events that a cursor hands on before others get a turn. */
const EVENTS_A_TURN = 500;
/** Batches that a cursor hands on before others get a turn. */
const BATCHES_A_TURN = 4;
/** Milliseconds of `age` below which events may be gone before the next heartbeat; few heartbeats are longer. */
const SHORT_AGE = 120_000;

/** The cursors that are handing something on: the innermost last, as an event of one may lead to an event of another. */
const activeCursors: Cursor[] = [];

/** The cursor that hands on an event at this moment: it tells the code that gets the event which reader it is from. */
export const currentCursor = (): Cursor | undefined => activeCursors.at(-1);

/**
 * The place of one reader in one channel's log. Live delivery, replay after a reconnect and a slow client that
 * catches up are all this.
 *
 * ```
 * opening ──► gap ──► preface ──► reading ──► ended
 *                        ▲           │
 *                        └ fell behind, and there is a preface
 * ```
 *
 * - `opening`: its position is not known. `start()` ends it.
 * - `gap`: at its start the log could not serve the client's position; `tellGapOwed()` tells the client so.
 * - `preface`: something that stands for the log up to a position goes to the client first.
 * - `reading`: `advance()` hands on what the log has, as far as the sink takes it.
 * - `ended`: by `stop()`, from any phase.
 *
 * `gap` and `preface` are skipped where there is none. A cursor that falls behind while it reads tells its client of the
 * gap as soon as the client takes something again, and goes on from what is left, or from a preface.
 *
 * Two positions:
 *
 * - `read` is how far it has come in the log, and decides whether there is a gap.
 * - `given` is what its client has, and never beyond `read`. It moves when an event, or a value that was
 *   made of it, is written, and when `filter` or `types` hide one; not when an operator drops or holds one. While a gap or a
 *   preface is owed it is undefined: a client that is cut off then comes back with the position that it came with.
 *
 * From here an event goes to the subscriptions (see channel-stream.ts) or, as a batch, straight to the sink (sink.ts).
 */
export class Cursor implements ChannelReader, Task {
  read = UNREAD;
  /** Where it began: the position before the first event that it was to hand on. */
  began: Position | undefined;
  /** The position of its client, for the ids that it is sent. */
  given: Position | undefined;
  /** `given` as it was sent last, with own ids. */
  #sent: Position | undefined;
  /** `unpaced`: it ignores back-pressure, as others than its client may depend on it. */
  pace: 'client' | 'unpaced' = 'client';
  /** `open`: opened with `authorize: false`, so that its events may reach any response. */
  access: 'guarded' | 'open' = 'guarded';
  /** Whether its sink was told that it streams the channel. */
  isAnnounced = false;
  /** The event that the subscriptions are getting at this moment. */
  emitting: PublishedEvent | undefined;
  #phase: Phase;
  #log: EventLog | undefined;
  /**
   * The position of the last event that subscriptions got, or of `#passTo()`. Without batches, the events between it and
   * `read` were hidden.
   */
  #lastEmitted = UNREAD;
  /** Events, and their bytes, that were hidden since the client was last told its position. */
  #hidden = 0;
  #hiddenBytes = 0;
  /** Replaced and never changed, so that subscriptions may come and go while they are being told. */
  #subscriptions = NOBODY;
  /**
   * `lagging`: it was backed up and behind. With `slow: { latest }` the client gets only the newest event of each
   * key, until it has caught up.
   */
  #lag: 'none' | 'lagging' = 'none';
  /** The position after which it passes over no event that is wanted: since its start, its last gap, or its last lag. */
  #from = UNREAD;
  /** The offset of the newest event when it had handed on all that the log had; undefined until then. */
  #liveAfter: number | undefined;
  /** When its task in the run queue comes, if there is one. */
  #due: 'in this turn' | 'in the next turn' | undefined;
  readonly #ifAbsent: StreamRequest['ifAbsent'];

  constructor(
    readonly channel: Channel,
    readonly reader: StreamReader,
    lastEventId: LastEventId,
    { replay, ifAbsent }: StreamRequest,
  ) {
    this.#phase = { kind: 'opening', lastEventId, replay, present: channel.present };
    this.#ifAbsent = ifAbsent;
  }

  get #sink(): Sink {
    return this.reader.sink;
  }

  get #mustWait(): boolean {
    return this.#sink.backPressure !== 'none' && this.pace === 'client';
  }

  get #slow(): SlowPolicy {
    return this.#sink.slow ?? this.channel.settings.slow;
  }

  /** The index for the policy `{ latest }`; undefined with another policy. */
  get #latestIndex(): LatestIndex | undefined {
    const slow = this.#slow;
    return typeof slow === 'object' ? this.channel.latest(slow) : undefined;
  }

  /** The findings of its opening so far. Not to be asked once it has started. */
  get #opening(): Partial<Opening> {
    return this.#phase as Partial<Opening>;
  }

  /** Whether its position is known. */
  get started(): boolean {
    return this.#log !== undefined;
  }

  get isEnded(): boolean {
    return this.#phase === ENDED;
  }

  get owesGap(): boolean {
    return this.#phase.kind === 'gap';
  }

  /** The log that its position is of; there once it has started. */
  get log(): EventLog {
    return this.#log as EventLog;
  }

  /** Whether nothing more will come, and all there was has been handed on. */
  get isAtEnd(): boolean {
    const log = this.#log;
    if (!log) return false;
    if (log.isAbsent) return this.#ifAbsent === 'end';
    return log.completed && this.read.offset === log.head.offset;
  }

  // ---- Its subscriptions

  add(subscription: StreamSubscription): void {
    if (this.started) subscription.since = 'later';
    this.#subscriptions = this.#subscriptions.concat(subscription);
    if (this.isLive) subscription.caughtUp?.();
  }

  /** Answers whether the subscription was one of its own. */
  remove(subscription: StreamSubscription): boolean {
    const before = this.#subscriptions;
    this.#subscriptions = before.filter((other) => other !== subscription);
    return this.#subscriptions.length < before.length;
  }

  get isSubscribed(): boolean {
    return this.#subscriptions.length > 0;
  }

  get subscriptions(): readonly StreamSubscription[] {
    return this.#subscriptions;
  }

  /** Gives all subscriptions an event that is not in the log. */
  tell(event: SseEvent): void {
    for (const subscription of this.#subscriptions) subscription.next(event);
  }

  // ---- What the inspector asks

  /** How far it has come. */
  get progress(): Omit<StreamPosition, 'isResumed' | 'way'> {
    const { channel, read, given, began } = this;
    const filters = this.#subscriptions.map(({ filter }) => filter);
    const types = filters.map((filter) => filter?.types);
    const isOpen = types.length === 0 || types.includes(undefined);
    return {
      channel: channel.name,
      began: began?.offset,
      liveAfter: this.#liveAfter,
      read: read.offset,
      given: given?.offset,
      head: channel.present?.offset ?? 0,
      types: isOpen ? undefined : [...new Set(types.flatMap((some) => [...(some ?? [])]))],
      hasFilter: filters.some((filter) => filter?.hasFunction),
    };
  }

  /** Whether its streams hide an event; asks the application's `filter` once more, which may throw. */
  hides(entry: LogEntry): boolean {
    const all = this.#subscriptions;
    return all.length > 0 && !all.some(({ filter }) => filter?.wants(entry, this.channel) ?? true);
  }

  // ---- The position of its client

  /** Its client was sent its position. */
  positionSent(): void {
    this.#hidden = this.#hiddenBytes = 0;
  }

  /** Its client, who has asked for own ids, was sent its position. */
  ownPositionSent(): void {
    this.positionSent();
    this.#sent = this.given ?? this.read;
  }

  /** Its client may not have stored what it was sent last. */
  positionNotStored(): void {
    this.#sent = undefined;
  }

  /** Whether its client, who has asked for own ids, was not sent its position; without history, that it streams the channel. */
  get hasUnsentPosition(): boolean {
    if (!this.started) return false;
    if (!this.channel.hasHistory) return this.#sent === undefined;
    return this.given !== undefined && this.given !== this.#sent;
  }

  /** An event, or what was made of it, goes out to the client. */
  delivered(position: Position): void {
    const { given, log, read } = this;
    // An event that an operator has held back does not settle an owed gap or preface.
    if (!given) return;
    // An operator that changes the order does not take the client back, and an event of a log that was replaced says
    // nothing of this one.
    if (position.offset <= given.offset || position.offset > read.offset) return;
    if (isOfOtherLog(position, log)) return;
    const { offset, mark } = position;
    // After the last event that was emitted, all that followed was hidden: the client is past that, too.
    this.given = offset >= this.#lastEmitted.offset ? read : { offset, mark };
  }

  /** Whether it has come past a position in its log, so that it will not hand on the event there any more. */
  isPast({ offset }: Position): boolean {
    return this.started && offset <= this.read.offset;
  }

  /**
   * The event at a position that it has handed on, or that its subscriptions did not want. Without its entry if the log
   * has let go of that since. Undefined where it did not come by that event: it began later, or the position is of another
   * log.
   *
   * @param published `lately`: while it was reading
   */
  handedOn(position: Position, published: 'lately' | 'once'): { readonly entry?: LogEntry } | undefined {
    if (!this.isPast(position) || position.offset <= this.#from.offset) return undefined;
    const { log } = this;
    if (position.offset <= log.floor.offset)
      // The log may be another one than the event was in, unless the event is too young for that.
      return log.has(position) || published === 'lately' ? {} : undefined;
    const entry = log.at(log.indexAfter(position.offset) - 1);
    return entry?.offset === position.offset && entry.mark === position.mark ? { entry } : undefined;
  }

  get #stretch(): 'past' | 'live' {
    return this.isLive ? 'live' : 'past';
  }

  /** Whether what it reads was published while it was reading. */
  get isLive(): boolean {
    return this.#liveAfter !== undefined;
  }

  // ---- The start, in the order in which its reader calls these

  /** The position to begin from, as it was sent or asked for; undefined once the cursor has started. */
  get lastEventId(): LastEventId | undefined {
    return this.#opening.lastEventId;
  }

  /** The place of the requested position in the log of now, which may be another log. */
  get located(): Position | undefined {
    return this.#opening.located?.position;
  }

  /**
   * Begins the next thing that has to be awaited before it can start. It is called again after each.
   *
   * @returns undefined where there is nothing left to wait for
   */
  prepare(requested: Requested): Promise<void> | undefined {
    return this.#locate(requested) ?? this.#preparePreface(requested);
  }

  /** Brings the log up to date if it does not hold the client's position, or the client is to get a replay. */
  #locate(requested: Requested): Promise<void> | undefined {
    const { channel } = this;
    if (!channel.hasHistory || this.#opening.located) return undefined;
    const done = (position?: Position): void => {
      this.#phase = { ...(this.#phase as Opening), located: { position } };
    };
    if (requested.kind === 'none')
      return this.#replay === 'none' ? undefined : channel.refill()?.then(() => done());
    if (requested.kind !== 'position' || channel.log.has(requested.position)) return undefined;
    return channel.locate(requested.position)?.then(done);
  }

  #preparePreface(requested: Requested): Promise<void> | undefined {
    const { channel } = this;
    if (this.#opening.preface) return undefined;
    if (channel.hasHistory && requested.kind !== 'none' && !gapAt(requested, channel.log)) return undefined;
    const preface = this.reader.preface(channel);
    if (!preface) return undefined;
    this.#phase = { ...(this.#phase as Opening), preface };
    return preface.prepare();
  }

  /** The part of the past that a client without a position gets. */
  get #replay(): Replay {
    const { channel } = this;
    return channel.hasHistory ? (this.#opening.replay ?? channel.settings.replay) : 'none';
  }

  /** Finds the position from which it reads, or that there is a gap. */
  start(requested: Requested): void {
    const { channel } = this;
    const { preface, present = channel.liveAfter } = this.#opening;
    const log = (this.#log = channel.log);
    const isNew = requested.kind === 'none' || !channel.hasHistory;
    if (isNew && preface) {
      this.read = this.began = present;
      this.#phase = { kind: 'preface', preface };
      return;
    }
    const beginning = isNew ? whereToBegin(log, this.#replay, present) : whereToResume(requested, log);
    if (!('reason' in beginning)) return this.#passTo(beginning);
    this.#phase = { kind: 'gap', gap: beginning, preface };
  }

  /** Tells the client of a gap at its start, whether it can take more or not: it is little, and comes first. */
  tellGapOwed(): void {
    const phase = this.#phase;
    if (phase.kind === 'gap') this.#tellGap(phase.gap, phase.preface);
  }

  // ---- Reading

  changed(when: 'at once' | 'in turn'): void {
    if (!this.started || this.isEnded) return;
    if (when === 'in turn') return this.goOn('in this turn');
    // The log lets go of entries after this, so everything is taken that the client can take.
    let before = -1;
    while (!this.isEnded && this.read.offset !== before && (!this.#mustWait || this.#sink.flushForRoom())) {
      before = this.read.offset;
      this.advance();
    }
  }

  goOn(when: 'in this turn' | 'in the next turn'): void {
    if (this.#due) return;
    this.#due = when;
    const { queue } = this.channel;
    if (when === 'in this turn') queue.add(this);
    else queue.addNext(this);
  }

  run(): void {
    this.#due = undefined;
    this.advance();
  }

  /** Hands on what has come since, as much as the client can take. */
  advance(): void {
    // A subscription may publish, and so lead back here.
    if (!this.started || this.isEnded || activeCursors.includes(this)) return;
    activeCursors.push(this);
    try {
      this.#advance();
    } finally {
      activeCursors.pop();
    }
  }

  #advance(): void {
    if (this.#log !== this.channel.log) {
      if (this.#mustWait) return; // its position is of the old log until its client can be told of a gap
      this.#changeLog();
    }
    const { log } = this;
    const hasLagged =
      this.#phase === READING && this.read.offset < (this.#latestIndex?.floor ?? log.floor.offset);
    if (hasLagged && this.#slow === 'disconnect') return this.#sink.disconnect();
    if (this.#mustWait) return this.#noteLag();
    if (hasLagged) this.#fallBehind('lagged');
    this.tellGapOwed();
    if (!this.#sendPreface()) return;
    if (log.isAbsent) this.#moveWithAbsent();
    else if (this.read.offset < log.head.offset) this.#read();
    if (!this.isLive && this.read.offset === this.log.head.offset) {
      this.#liveAfter = this.read.offset;
      for (const subscription of this.#subscriptions) subscription.caughtUp?.();
    }
    if (this.isAtEnd) this.end();
  }

  /** Nothing more comes: the channel was completed or taken away, or the hub was closed. */
  end(): void {
    if (this.isEnded) return;
    this.stop();
    this.reader.ended(this);
    this.#inContext(() => {
      for (const subscription of this.#subscriptions) subscription.complete();
    });
  }

  fail(error: unknown): void {
    this.stop();
    for (const subscription of this.#subscriptions) subscription.error(error);
  }

  stop(): void {
    this.#phase = ENDED;
  }

  /** The channel has another log. A client whose position it holds has missed nothing. */
  #changeLog(): void {
    const { given, read } = this;
    const log = (this.#log = this.channel.log);
    if (this.isLive) this.#liveAfter = log.floor.offset;
    if (this.#phase !== READING)
      this.read = log.floor; // nothing was sent yet, so nothing was lost
    else if (!log.has(read) || (given && isOfOtherLog(given, log)))
      this.#fallBehind(log.missing(read) ?? 'unknown');
  }

  /** Something after `given` is gone. */
  #fallBehind(reason: GapReason): void {
    const { channel, given } = this;
    this.#tellGap({ reason, requested: given ? channel.idOf(given) : '' }, this.reader.preface(channel));
  }

  /** Goes on from the oldest event that is left now, or from a preface. More may have gone since the gap was found. */
  #tellGap({ reason, requested }: OwedGap, preface: Preface | undefined): void {
    this.#passTo(this.log.floor);
    if (preface) {
      this.#phase = { kind: 'preface', preface };
      this.given = undefined;
    }
    const gap = this.channel.gap(reason, requested);
    this.#inContext(() => this.#sink.gap(this, gap));
  }

  /** @returns whether to go on reading: no preface is due any more, and the client takes more */
  #sendPreface(): boolean {
    const phase = this.#phase;
    if (phase.kind !== 'preface') return !this.isEnded;
    const ready = phase.preface.take(
      () => this.advance(),
      (error) => this.reader.failed(this, error),
    );
    if (!ready) return false;
    const end = whereToResume(ready.upTo, this.log);
    if ('reason' in end) {
      // If the log once held everything after the preface, it has overtaken that since: the client was too slow. The phase stays
      // while the gap is told, so that the gap has no id: a client that is cut off there comes back for both.
      this.#tellGap(ready.wasInLog ? { ...end, reason: 'lagged' } : end, phase.preface);
      this.#passTo(this.read);
    } else this.#passTo(end);
    this.#sink.write(ready.text(this.reader.position.idAt(this)));
    return !this.#mustWait && !this.isEnded;
  }

  /** The client has everything up to a position, or was told that it has not. */
  #passTo(position: Position): void {
    this.#phase = READING;
    this.read = this.given = this.#lastEmitted = this.#from = position;
    this.began ??= position;
  }

  /** An absent channel has another position now. Its client must be sent that before the old one expires. */
  #moveWithAbsent(): void {
    const { head } = this.log;
    if (this.read.mark === head.mark) return;
    this.#passTo(head);
    this.reader.moved('urgent');
  }

  #noteLag(): void {
    if (this.#sink.backPressure === 'backed up' && this.read.offset < this.log.head.offset)
      this.#lag = 'lagging';
  }

  #read(): void {
    const newest = this.#latestIndex;
    if (newest && (this.#lag === 'lagging' || this.read.offset < this.log.floor.offset))
      this.#readNewest(newest);
    else if (this.#sink.takesBatches) this.#readBatches();
    else this.#inContext(() => this.#readEvents());
    if (this.read.offset === this.log.head.offset) this.#lag = 'none';
  }

  /** Hands on the newest event of each key, of all that has not been read. */
  #readNewest(index: LatestIndex): void {
    const newest = index.after(this.read.offset);
    this.#from = this.log.head; // in which other channels need a copy of what it skips
    if (newest.length === 0) this.#hide(this.log.head, 0);
    else if (this.#sink.takesBatches) this.#handOnBatch(this.channel.batchOf(newest));
    else this.#inContext(() => newest.every((entry) => this.#handOn(entry)));
    if (this.read.offset < this.log.head.offset) this.goOn('in the next turn');
  }

  #readBatches(): void {
    for (let i = 0; i < BATCHES_A_TURN; i++) {
      this.#handOnBatch(this.channel.batchAfter(this.read.offset));
      if (this.read.offset === this.log.head.offset || this.#mustWait || this.isEnded) return;
    }
    this.goOn('in the next turn');
  }

  /** A batch goes out in the moment in which it is read. */
  #handOnBatch(batch: Batch): void {
    this.read = this.given = batch.upTo;
    this.#sink.write(batch);
    if (channelDelivered.hasSubscribers) this.channel.delivered(batch.delivery, this.#stretch);
    if (batch.idAtClient === 'not stored') this.reader.moved('lazy');
  }

  #readEvents(): void {
    const { log } = this;
    for (let i = 0; i < EVENTS_A_TURN; i++) {
      // Looked up anew: a subscription may publish, and so push out what was to come.
      if (this.read.offset < log.floor.offset) break;
      const entry = log.at(log.indexAfter(this.read.offset));
      if (!entry || !this.#handOn(entry)) return;
    }
    this.goOn('in the next turn');
  }

  /** Answers whether it may go on with the next event. */
  #handOn(entry: LogEntry): boolean {
    if (entry.event.also) {
      readEarlierCopies(entry.event.also, this.reader);
      if (this.#mustWait || this.isEnded) return false;
    }
    const wanting = this.#wanting(entry);
    if (wanting.length === 0 && this.isSubscribed) {
      const { offset, mark, event } = entry;
      this.#hide({ offset, mark }, event.bytes);
    } else this.#emit(entry, wanting);
    return !this.#mustWait && !this.isEnded;
  }

  #wanting(entry: LogEntry): readonly StreamSubscription[] {
    let wanting = this.#subscriptions;
    const [first] = wanting;
    // Nearly always there is one, and then no list is made.
    if (first && wanting.length === 1)
      wanting = (first.wants?.(entry, this.channel) ?? true) ? wanting : NOBODY;
    else if (wanting.some(({ wants }) => wants))
      wanting = wanting.filter(({ wants }) => wants?.(entry, this.channel) ?? true);
    const mayBeCopy = entry.event.also !== undefined || this.reader.copiesAhead !== undefined;
    return mayBeCopy ? notHadAsCopy(entry, this, wanting) : wanting;
  }

  #emit(entry: LogEntry, subscriptions: readonly StreamSubscription[]): void {
    const published = this.channel.published(entry);
    this.read = this.#lastEmitted = published.position;
    this.emitting = published;
    for (const subscription of subscriptions) subscription.next(published.event);
    this.emitting = undefined;
    this.#sink.eventEmitted();
    if (channelDelivered.hasSubscribers) this.channel.delivered(deliveryOf([entry]), this.#stretch);
  }

  /** Passes an event that nobody wants. The client has got past it when all that was handed on before it is out. */
  #hide(position: Position, bytes: number): void {
    const isNothingHeld = this.given !== undefined && this.given.offset >= this.#lastEmitted.offset;
    this.read = position;
    if (!isNothingHeld) return;
    this.given = position;
    this.#hidden++;
    this.#hiddenBytes += bytes;
    const { count, bytes: maxBytes, age } = this.log.limits;
    const isSoonGone = this.#hidden * 2 >= count || this.#hiddenBytes * 2 >= maxBytes || age < SHORT_AGE;
    this.reader.moved(isSoonGone ? 'urgent' : 'lazy');
  }

  /** Runs code that reaches subscriptions, whoever has published. */
  #inContext(task: () => void): void {
    activeCursors.push(this);
    try {
      this.#sink.inContext(task);
    } finally {
      activeCursors.pop();
    }
  }
}

/** Whether a position was of another log: this one would hold it otherwise. */
const isOfOtherLog = (position: Position, log: EventLog): boolean =>
  position.offset >= log.floor.offset && !log.has(position);

/** The position from which a cursor reads, or the gap that its client is told of first. */
type Beginning = Position | OwedGap;

/** Finds where a client goes on that has sent a position. */
function whereToResume(requested: NamedPosition, log: EventLog): Beginning {
  // Without a gap it is a position, and no unreadable text.
  return gapAt(requested, log) ?? (requested as Extract<NamedPosition, { kind: 'position' }>).position;
}

/**
 * Finds where a client without a position begins: at the present, or with events that were published before.
 *
 * @param present the newest event when the stream was asked for
 */
function whereToBegin(log: EventLog, replay: Replay, present: Position): Beginning {
  const { floor, clearedAt } = log;
  // "all" has a gap if the log has dropped events, other than by purge().
  if (replay === 'all') return floor.offset > clearedAt ? { reason: 'evicted', requested: '' } : floor;
  // `present` may be old, as the start may have waited: an absent channel may have another position, and a log may have let go
  // of that event.
  const read = present.offset === 0 && floor.offset === 0 ? floor : present;
  const reason = log.missing(read);
  if (reason) return { reason, requested: '' };
  return replay === 'none' ? read : log.before(replay, read);
}
