import type { Batch, Channel, ChannelReader } from '../channels/channel.js';
import type { RunQueue, Task } from '../channels/run-queue.js';
import type { EventLog, LogEntry } from '../log/event-log.js';
import { gapAt, type OwedGap } from '../log/gap.js';
import type { LatestIndex } from '../log/latest-index.js';
import type { GapReason, SseEvent } from '../log/sse-event.js';
import type { LastEventId, Position, Requested } from '../protocol/position.js';
import type { Replay, SlowPolicy } from '../sse.options.js';
import { begunAnew, resumed, type Beginning } from './beginning.js';
import type { Preface } from './preface.js';
import type { Sink } from './sink.js';
import type { StreamReader } from './stream-reader.js';

/** Gets the events of a cursor, one at a time. */
export interface EventConsumer {
  next(event: SseEvent): void;
  complete(): void;
  error(error: unknown): void;
  /** Whether it is to get an event; left out, it gets all. */
  readonly wants?: (entry: LogEntry, channel: Channel) => boolean;
  /** Everything that was in the log when the cursor began was handed on. */
  readonly caughtUp?: () => void;
}

/** The terms on which a channel is read. */
export interface CursorRequest {
  /** Where the client says that it is. */
  readonly lastEventId: LastEventId;
  /** In place of the channel's setting. */
  readonly replay: Replay | undefined;
  /** What becomes of the cursor where the channel is not there. */
  readonly ifAbsent: 'wait' | 'end';
}

/** Each phase with the data that it alone has; see {@link Cursor}. */
type Phase =
  | Opening
  | { readonly kind: 'gap'; readonly gap: OwedGap; readonly preface: Preface | undefined }
  | { readonly kind: 'preface'; readonly preface: Preface }
  | { readonly kind: 'reading' }
  | { readonly kind: 'ended' };

interface Opening {
  readonly kind: 'opening';
  /** The answer of the backplane, if it was asked to bring the log up to date. */
  readonly located?: { readonly position: Position | undefined };
  /** A preface that is being prepared for the start. */
  readonly preface?: Preface;
}

// Shared: an object for each cursor would cost memory.
const OPENING: Phase = { kind: 'opening' };
const READING: Phase = { kind: 'reading' };
const ENDED: Phase = { kind: 'ended' };
const UNREAD: Position = { offset: 0, mark: '' };
const NOBODY: readonly EventConsumer[] = [];

/** Events that a cursor hands on before others get a turn. */
const EVENTS_A_TURN = 500;
/** The same for bytes that go out as batches. */
const BATCHES_A_TURN = 4;
/** Milliseconds. An event that is kept no longer may be gone before the next heartbeat: few are further apart. */
const SHORT_AGE = 120_000;

let current: Cursor | undefined;

/** The cursor that hands on an event at this moment: where the event arrives, it tells which reader it is from. */
export const currentCursor = (): Cursor | undefined => current;

/** Runs code that hands on events of a cursor. One cursor's event may well lead to another's. */
function runAs(cursor: Cursor, task: () => void): void {
  const before = current;
  current = cursor;
  try {
    task();
  } finally {
    current = before;
  }
}

/**
 * The place of one reader in one channel's log. Live delivery, replay after a reconnect and a slow client that
 * catches up are all this.
 *
 * ```
 * opening ──► gap ──► preface ──► reading ──► ended
 *    │         ▲                     │          ▲
 *    │         └── lagged, new log ──┘          │
 *    └── the channel cannot be opened ──────────┘
 * ```
 *
 * A phase that owes nothing is passed over. `start()` ends `opening`; `advance()` moves through the others, as far
 * as the sink takes it. `stop()` ends any of them.
 *
 * Two positions: `read` is how far it has come in the log, and decides whether there is a gap. `given` is what its
 * client has: it moves with what was written to the client and with what the hub itself hides from it, and with
 * nothing else, so what an operator holds or swallows is not counted. `given` is never beyond `read`, and undefined
 * while a gap or preface is owed to a client that has just come.
 *
 * From here an event goes to the consumers (see channel-stream.ts) or, as a batch, straight to the sink (sink.ts).
 */
export class Cursor implements ChannelReader, Task {
  read = UNREAD;
  /** `own`: it ignores back-pressure, as others than its client may depend on it. */
  pace: 'client' | 'own' = 'client';
  /** `open`: opened with `authorize: false`, so that its events may reach any response. */
  access: 'guarded' | 'open' = 'guarded';
  /** Whether its sink was told that it streams the channel. */
  isAnnounced = false;
  /** The event that is handed on at this moment. */
  handing: LogEntry | undefined;
  #phase: Phase = OPENING;
  #given: Position | undefined;
  /** The offset of the last event that was handed on to a consumer. */
  #handedOn = 0;
  /** Events, and their bytes, that were hidden since the client was last told its position. */
  #hidden = 0;
  #hiddenBytes = 0;
  /** Replaced and never changed, so that consumers may come and go while they are being told. */
  #consumers = NOBODY;
  /** With `slow: { latest }`: where a client that lags gets the newest event of each key alone. */
  #latest: { readonly index: LatestIndex; state: 'keeping up' | 'lagging' } | undefined;
  /** Against recursion: a consumer may publish, and so lead back here. */
  #isAdvancing = false;
  /** Whether it waits in the run queue. */
  #isDue = false;
  #hasCaughtUp = false;
  /** The newest event when it was made, or else when its channel was opened: up to there everything is the past. */
  #present: Position | undefined;
  #log: EventLog | undefined;

  constructor(
    readonly channel: Channel,
    readonly reader: StreamReader,
    readonly request: CursorRequest,
    private readonly queue: RunQueue,
  ) {
    this.#present = channel.present;
  }

  get #sink(): Sink {
    return this.reader.sink;
  }

  get #mustWait(): boolean {
    return this.#sink.backPressure !== 'none' && this.pace === 'client';
  }

  /** Whether its position is known. */
  get started(): boolean {
    return this.#log !== undefined;
  }

  get isEnded(): boolean {
    return this.#phase.kind === 'ended';
  }

  /** The log that its position is of; there once it has started. */
  get log(): EventLog {
    return this.#log as EventLog;
  }

  /** Whether nothing more will come, and all there was has been handed on. */
  get isAtEnd(): boolean {
    const log = this.#log;
    if (!log) return false;
    if (log.isAbsent) return this.request.ifAbsent === 'end';
    return log.completed && this.read.offset === log.head.offset;
  }

  /** Whether the event that it has just handed on was published since it was made. */
  get isLive(): boolean {
    return this.read.offset > (this.#present?.offset ?? 0);
  }

  get owesGap(): boolean {
    return this.#phase.kind === 'gap';
  }

  /** What a client without a position is given of the past. */
  get replay(): Replay {
    const { channel, request } = this;
    return channel.hasHistory ? (request.replay ?? channel.settings.replay) : 'none';
  }

  get #slow(): SlowPolicy {
    return this.#sink.slow ?? this.channel.settings.slow;
  }

  // ---- Its consumers

  join(consumer: EventConsumer): void {
    this.#consumers = this.#consumers.concat(consumer);
    if (this.#hasCaughtUp) consumer.caughtUp?.();
  }

  part(consumer: EventConsumer): void {
    this.#consumers = this.#consumers.filter((other) => other !== consumer);
  }

  get hasConsumers(): boolean {
    return this.#consumers.length > 0;
  }

  /** Gives all consumers something that is no event of the log. */
  tell(event: SseEvent): void {
    for (const consumer of this.#consumers) consumer.next(event);
  }

  // ---- The position of its client

  /**
   * What its client has, for the ids that it is sent. Undefined until it was told of a gap, or sent a preface, that it
   * came for: cut off before, it must come back with the position that it came with.
   */
  get given(): Position | undefined {
    // A batch goes out in the moment in which it is read, so that each touches the cursor alone.
    return this.#sink.takesBatches && this.#phase === READING ? this.read : this.#given;
  }

  /** Its client is being told its position. */
  told(): void {
    this.#hidden = this.#hiddenBytes = 0;
  }

  /** An event, or what was made of it, goes out to the client. */
  give(position: Position): void {
    const { given, log } = this;
    // An event that an operator has held back does not stand for the gap or preface that is owed.
    if (!given || !this.#log) return;
    // An operator that changes the order does not take the client back, and an event of a log that was replaced says
    // nothing of this one.
    if (position.offset <= given.offset || position.offset > this.read.offset) return;
    if (!log.has(position) && position.offset >= log.floor.offset) return;
    const { offset, mark } = position;
    // Events that were hidden after the last one that was handed on go with it; a gap that is still owed does not.
    const isLast = offset >= this.#handedOn && this.#phase === READING;
    this.#given = isLast ? this.read : { offset, mark };
  }

  // ---- Opening, in the order in which its reader calls these

  /**
   * Has the log brought up to date if the client may know more of it, or is owed more of it, than is held here.
   *
   * @returns undefined where there is nothing to wait for
   */
  locate(requested: Requested): Promise<void> | undefined {
    const { channel } = this;
    if (!channel.hasHistory || this.#opening.located) return undefined;
    const done = (position?: Position): void => {
      this.#phase = { ...this.#opening, located: { position } };
    };
    if (requested.kind === 'none')
      return this.replay === 'none' ? undefined : channel.refill()?.then(() => done());
    if (requested.kind !== 'position' || channel.log.has(requested.position)) return undefined;
    return channel.locate(requested.position)?.then(done);
  }

  /** The position in the log, as it is now, that the requested one stands for. */
  get located(): Position | undefined {
    return this.#opening.located?.position;
  }

  /**
   * Has a preface prepared if the client needs one to start with.
   *
   * @returns undefined where there is nothing to wait for
   */
  prepare(requested: Requested): Promise<void> | undefined {
    const { channel } = this;
    if (this.#opening.preface) return undefined;
    if (channel.hasHistory && requested.kind !== 'none' && !gapAt(requested, channel.log)) return undefined;
    const preface = this.reader.preface(channel);
    if (!preface) return undefined;
    this.#phase = { ...this.#opening, preface };
    return preface.prepare();
  }

  /** Finds the position from which it reads, or that there is a gap. */
  start(requested: Requested): void {
    const { channel } = this;
    const { preface } = this.#opening;
    this.#log = channel.log;
    this.#present ??= channel.openedAt;
    this.read = this.#present;
    if (requested.kind !== 'none' && channel.hasHistory) this.#beginAt(resumed(requested, this.log));
    else if (preface) this.#phase = { kind: 'preface', preface };
    else this.#beginAt(begunAnew(this.log, this.replay, this.#present));
    this.#given = this.#phase === READING ? this.read : undefined;
    this.#indexLatest();
  }

  /** Tells the client of a gap, whether it can take more or not: it is little, and comes first. */
  tellGapOwed(): void {
    const phase = this.#phase;
    if (phase.kind === 'gap') this.#tellGap(phase.gap, phase.preface);
  }

  // ---- Reading

  changed(when: 'at once' | 'in turn'): void {
    if (!this.started || this.isEnded) return;
    if (when === 'in turn') return this.#goOn('in this turn');
    // The log lets go of entries after this, so everything is taken that the client can take.
    let before = -1;
    while (!this.isEnded && this.read.offset !== before && (!this.#mustWait || this.#sink.makeRoom())) {
      before = this.read.offset;
      this.advance();
    }
  }

  run(): void {
    this.#isDue = false;
    this.advance();
  }

  /** Hands on what has come since, as much as the client can take. */
  advance(): void {
    if (!this.started || this.isEnded || this.#isAdvancing) return;
    this.#isAdvancing = true;
    try {
      this.#advance();
    } finally {
      this.#isAdvancing = false;
    }
  }

  /** Nothing more comes: the channel was completed, or the hub was closed. */
  end(): void {
    if (this.isEnded) return;
    this.stop();
    this.reader.ended(this);
    this.#inContext(() => {
      for (const consumer of this.#consumers) consumer.complete();
    });
  }

  fail(error: unknown): void {
    this.stop();
    for (const consumer of this.#consumers) consumer.error(error);
  }

  stop(): void {
    this.#given = this.given;
    this.#phase = ENDED;
  }

  get #opening(): Opening {
    return this.#phase as Opening;
  }

  #beginAt(beginning: Beginning): void {
    if ('gap' in beginning) return this.#owe(beginning.gap);
    this.#phase = READING;
    this.read = beginning.read;
  }

  /** Goes on from the oldest event that is left, or from a preface, and will say so. */
  #owe(gap: OwedGap): void {
    this.read = this.log.floor;
    const phase = this.#phase;
    const preface = 'preface' in phase ? phase.preface : this.reader.preface(this.channel);
    this.#phase = { kind: 'gap', gap, preface };
  }

  /** Its client has not got everything after `given`. */
  #fallBehind(reason: GapReason): void {
    this.#given = this.given;
    this.#owe({ reason, requested: undefined });
  }

  /** The channel has another log. A client whose position it holds has missed nothing. */
  #changeLog(): void {
    const { channel } = this;
    this.#log = channel.log;
    this.#present = channel.openedAt;
    this.#indexLatest();
    const { given, log } = this;
    const phase = this.#phase;
    if (phase.kind === 'preface') {
      this.read = log.floor; // nothing was sent yet, so nothing was lost
    } else if (phase.kind === 'gap') {
      this.#owe(phase.gap);
    } else if (!log.has(this.read) || (given && !log.has(given) && given.offset >= log.floor.offset)) {
      this.#fallBehind(log.missing(this.read) ?? 'unknown');
    }
  }

  #indexLatest(): void {
    const slow = this.#slow;
    if (typeof slow !== 'object') return;
    this.#latest = { index: this.channel.latest(slow), state: this.#latest?.state ?? 'keeping up' };
  }

  #advance(): void {
    if (this.#log !== this.channel.log) {
      if (this.#mustWait) return; // until it can be told, its position is one of the old log
      this.#changeLog();
    }
    const { log } = this;
    if (this.#phase === READING && this.read.offset < (this.#latest?.index.floor ?? log.floor.offset)) {
      if (this.#slow === 'disconnect') return this.#sink.disconnect();
      this.#fallBehind('lagged');
    }
    if (this.#mustWait) return this.#noteLag();
    this.tellGapOwed();
    const phase = this.#phase;
    if (phase.kind === 'preface' && !this.#sendPreface(phase.preface)) return;
    if (log.isAbsent) this.#moveWithAbsent();
    else if (this.read.offset < log.head.offset) this.#read();
    if (!this.#hasCaughtUp && this.read.offset === this.log.head.offset) this.#catchUp();
    if (this.isAtEnd) this.end();
  }

  #noteLag(): void {
    if (this.#latest && this.#sink.backPressure === 'backed up' && this.read.offset < this.log.head.offset)
      this.#latest.state = 'lagging';
  }

  #catchUp(): void {
    this.#hasCaughtUp = true;
    for (const consumer of this.#consumers) consumer.caughtUp?.();
  }

  /** An absent channel has another position now. Its client must have that before the old one is worth nothing. */
  #moveWithAbsent(): void {
    const { head } = this.log;
    if (this.read.mark === head.mark) return;
    this.read = head;
    if (this.#given) this.#given = head;
    this.reader.moved('urgent');
  }

  /** Says what is left now, which may be less than when the gap was found. */
  #tellGap({ reason, requested }: OwedGap, preface: Preface | undefined): void {
    const { channel, given } = this;
    const from = requested ?? (given ? channel.idOf(given) : '');
    this.#passTo(this.log.floor);
    if (preface) {
      this.#phase = { kind: 'preface', preface };
      this.#given = undefined;
    }
    const gap = channel.gap(reason, from);
    this.#inContext(() => this.#sink.gap(this, gap));
  }

  /** Answers whether its client was sent the preface, and can take more. */
  #sendPreface(preface: Preface): boolean {
    const text = preface.take(
      () => this.advance(),
      (error) => this.reader.failed(this, error),
    );
    if (!text) return false;
    const { upTo } = text;
    const gap = gapAt(upTo, this.log);
    if (gap) {
      // With the preface, so that its client has no position in between: cut off there, it is to come back for it. A
      // log that has moved past a preface that it held is one that the client was too slow for.
      this.#tellGap(text.wasInLog ? { ...gap, reason: 'lagged' } : gap, preface);
      this.#passTo(this.read);
    } else if (upTo.kind === 'position') this.#passTo(upTo.position);
    this.#inContext(() => this.#sink.batch(text.batch(this.reader.position.tell(), this.read)));
    return !this.#mustWait && !this.isEnded;
  }

  /** The client has everything up to a position, or was told that it has not. */
  #passTo(position: Position): void {
    this.#phase = READING;
    this.read = this.#given = position;
    this.#handedOn = position.offset;
  }

  #read(): void {
    const latest = this.#latest;
    const isBehind = latest && (latest.state === 'lagging' || this.read.offset < this.log.floor.offset);
    if (isBehind) this.#readLatest(latest.index);
    else if (this.#sink.takesBatches) this.#readBatches();
    else this.#inContext(() => this.#readEvents());
    if (latest && this.read.offset === this.log.head.offset) latest.state = 'keeping up';
  }

  /** Hands on the newest event of each key, of all that has not been read. */
  #readLatest(index: LatestIndex): void {
    const newest = index.after(this.read.offset);
    if (newest.length === 0) this.#hide(this.log.head, 0);
    else if (this.#sink.takesBatches) this.#handOnBatch(this.channel.batchOf(newest));
    else this.#inContext(() => newest.every((entry) => this.#handOn(entry)));
    if (this.read.offset < this.log.head.offset) this.#goOn('in the next turn');
  }

  #readBatches(): void {
    for (let i = 0; i < BATCHES_A_TURN; i++) {
      this.#handOnBatch(this.channel.batchAfter(this.read.offset));
      if (this.read.offset === this.log.head.offset || this.#mustWait || this.isEnded) return;
    }
    this.#goOn('in the next turn');
  }

  #handOnBatch(batch: Batch): void {
    this.read = batch.upTo;
    this.#sink.batch(batch);
    if (!batch.isStored) this.reader.moved('lazy');
  }

  #readEvents(): void {
    const { log } = this;
    for (let i = 0; i < EVENTS_A_TURN; i++) {
      // Looked up anew: a consumer may publish, and so push out what was to come.
      if (this.read.offset < log.floor.offset) break;
      const entry = log.at(log.indexAfter(this.read.offset));
      if (!entry || !this.#handOn(entry)) return;
    }
    this.#goOn('in the next turn');
  }

  /** Answers whether it may go on with the next event. */
  #handOn(entry: LogEntry): boolean {
    const wanting = this.#consumersOf(entry);
    if (wanting.length === 0 && this.hasConsumers) {
      const { offset, mark, event } = entry;
      this.#hide({ offset, mark }, event.bytes);
    } else this.#give(entry, wanting);
    return !this.#mustWait && !this.isEnded;
  }

  #give(entry: LogEntry, consumers: readonly EventConsumer[]): void {
    const { offset, mark } = entry;
    this.read = { offset, mark };
    this.#handedOn = offset;
    const event = this.channel.event(entry);
    this.handing = entry;
    for (const consumer of consumers) consumer.next(event);
    this.handing = undefined;
    this.#sink.handedOn();
  }

  #consumersOf(entry: LogEntry): readonly EventConsumer[] {
    const consumers = this.#consumers;
    if (!consumers.some((consumer) => consumer.wants)) return consumers;
    return consumers.filter((consumer) => consumer.wants?.(entry, this.channel) ?? true);
  }

  /** Passes an event that nobody wants. The client has got past it when all that was handed on before it is out. */
  #hide(position: Position, bytes: number): void {
    const isNothingHeld = this.#given !== undefined && this.#given.offset >= this.#handedOn;
    this.read = position;
    if (!isNothingHeld) return;
    this.#given = position;
    this.#hidden++;
    this.#hiddenBytes += bytes;
    const { count, bytes: maxBytes, age } = this.log.limits;
    const isSoonGone = this.#hidden * 2 >= count || this.#hiddenBytes * 2 >= maxBytes || age < SHORT_AGE;
    this.reader.moved(isSoonGone ? 'urgent' : 'lazy');
  }

  /** Runs code that reaches consumers, whoever has published. */
  #inContext(task: () => void): void {
    this.#sink.inContext(() => {
      runAs(this, task);
    });
  }

  #goOn(when: 'in this turn' | 'in the next turn'): void {
    if (this.#isDue) return;
    this.#isDue = true;
    if (when === 'in this turn') this.queue.add(this);
    else this.queue.addNext(this);
  }
}
