import type { LastEventId, Position, Requested } from '../protocol/position.js';
import type { Replay, SlowPolicy } from '../sse.options.js';
import type { Batch, Channel, ChannelReader } from '../channels/channel.js';
import type { EventLog, LogEntry } from '../log/event-log.js';
import type { LatestIndex } from '../log/latest-index.js';
import { missedBy, type Missed, type NamedPosition } from '../log/missed-position.js';
import type { Gap, GapReason, SseEvent } from '../log/sse-event.js';
import type { RunQueue, Task } from '../channels/run-queue.js';
import type { Preface } from './preface.js';
import type { Sink } from './sink.js';
import type { StreamReader } from './stream-reader.js';

/** Those who get the events of a cursor, one at a time. */
export interface EventConsumer {
  next(event: SseEvent): void;
  complete(): void;
  error(error: unknown): void;
  /** Whether it is to get an event; left out, it gets all. */
  readonly wants?: (entry: LogEntry, channel: Channel) => boolean;
  /** Everything that was in the log when the cursor began was handed on. */
  readonly caughtUp?: () => void;
}

/** What a cursor was asked for. */
export interface CursorRequest {
  /** What the client says it has seen. */
  readonly lastEventId: LastEventId;
  /** In place of the channel's setting. */
  readonly replay: Replay | undefined;
  /** What becomes of it where the channel is not there. */
  readonly ifAbsent: 'wait' | 'end';
}

/**
 * What a cursor does next:
 *
 * opening → gap → preface → reading → ended, where gap and preface are left out if nothing is owed, and a
 * cursor that reads comes back to gap when the log has moved past it.
 */
type Phase =
  /** Its channel is being opened, or its position looked for. */
  | { readonly kind: 'opening' }
  /** A gap is owed to the client before anything else. */
  | { readonly kind: 'gap'; readonly missed: OwedGap; readonly preface: Preface | undefined }
  /** A preface is owed to it. */
  | { readonly kind: 'preface'; readonly preface: Preface }
  | { readonly kind: 'reading' }
  | { readonly kind: 'ended' };

/** Of a client that is connected, the position is taken when it is told: until then, more may come out of an operator. */
type OwedGap = Pick<Missed, 'reason'> & { readonly requested: string | undefined };

const OPENING: Phase = { kind: 'opening' };
const READING: Phase = { kind: 'reading' };
const ENDED: Phase = { kind: 'ended' };

const NOBODY: readonly EventConsumer[] = [];

/** Events that a cursor hands on before others get a turn. */
const EVENTS_A_TURN = 500;
/** The same for bytes that go out as batches. */
const BATCHES_A_TURN = 4;
/** Milliseconds of an age that may be over before the next heartbeat tells of a position: few are further apart. */
const SHORT_AGE = 120_000;

/** The cursor that hands on events at this moment. */
let current: Cursor | undefined;

/** The cursor whose event is being handed on: where the event arrives it tells by whom it was read. */
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
 * The place of one reader in a channel's log. Live delivery, replay after a reconnect and a slow client that
 * catches up are all this.
 *
 * It has two positions. `read` is how far it has come in the log: what decides whether there is a gap. `given` is
 * what its client has: it moves with what was written to the client and with what the hub itself hides from it,
 * and with nothing else, so what an operator holds or swallows is not counted as had. `given` is never beyond
 * `read`.
 */
export class Cursor implements ChannelReader, Task {
  read: Position;
  /** Goes on although its own client is backed up: others depend on it. */
  isUnpaced = false;
  /** Opened with `authorize: false`. */
  isForAll = false;
  /** Its events were seen to go to another response: it has no part in the ids of its own. */
  isForeign = false;
  /** The application was told that its client streams the channel. */
  isSubscribed = false;
  /** The event that is handed on at this moment. */
  handing: LogEntry | undefined;
  #phase: Phase = OPENING;
  #given: Position | undefined;
  /** The offset of the last event that was handed on to a consumer. */
  #handedOn = 0;
  /** Events, and their bytes, that were hidden since the client was last told its position. */
  #hidden = 0;
  #hiddenBytes = 0;
  /** Never changed but replaced, so that those may come and go who are being told. */
  #consumers: readonly EventConsumer[] = NOBODY;
  /** Where a client that lags is given the newest event of each key alone. */
  #latest: LatestIndex | undefined;
  /** Whether its client could not take what came. */
  #hasLagged = false;
  #isAdvancing = false;
  #isDue = false;
  #hasCaughtUp = false;
  /** What was published before it was made is the past to it. */
  #since: Position | undefined;
  #log: EventLog | undefined;

  constructor(
    readonly channel: Channel,
    readonly reader: StreamReader,
    readonly request: CursorRequest,
    private readonly queue: RunQueue,
  ) {
    this.#since = channel.present;
    this.read = { offset: 0, mark: '' };
  }

  join(consumer: EventConsumer): void {
    this.#consumers = this.#consumers.concat(consumer);
    if (this.#hasCaughtUp) consumer.caughtUp?.();
  }

  part(consumer: EventConsumer): void {
    this.#consumers = this.#consumers.filter((other) => other !== consumer);
  }

  /** Whether anybody wants its events. */
  get isWanted(): boolean {
    return this.#consumers.length > 0;
  }

  /** Gives everybody something that is no event of the log. */
  tell(event: SseEvent): void {
    for (const consumer of this.#consumers) consumer.next(event);
  }

  /** What happens when the log has moved past its client. */
  get slow(): SlowPolicy {
    return this.#sink.slow ?? this.channel.settings.slow;
  }

  get #sink(): Sink {
    return this.reader.sink;
  }

  #inContext(task: () => void): void {
    this.#sink.inContext(() => {
      runAs(this, task);
    });
  }

  get #paused(): boolean {
    return this.#sink.backPressure !== 'none' && !this.isUnpaced;
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

  /** Whether what it has just handed on was published since it was made. */
  get isLive(): boolean {
    return this.read.offset > this.#liveAfter.offset;
  }

  get #liveAfter(): Position {
    return this.#since ?? this.channel.openedAt;
  }

  /** Whether a gap is owed to its client. */
  get owesGap(): boolean {
    return this.#phase.kind === 'gap';
  }

  /** What a client without a position is given of what was published before. */
  get replay(): Replay {
    const { channel, request } = this;
    return channel.hasHistory ? (request.replay ?? channel.settings.replay) : 'none';
  }

  /** Whether its client resumes in the channel. */
  get hasPosition(): boolean {
    return this.channel.hasHistory && !this.isForeign;
  }

  /**
   * What its client has, for the ids that it is sent. Undefined until it was told of a gap that it came with, and
   * until it was shown the state that it waits for: cut off before, it must come back with what it came with.
   */
  get given(): Position | undefined {
    // All that is read goes out in the same moment. So with each batch the cursor alone has to be touched.
    return this.#sink.takesBatches && this.#phase === READING ? this.read : this.#given;
  }

  /** Its client is being told its position. */
  told(): void {
    this.#hidden = this.#hiddenBytes = 0;
  }

  /** An event, or what was made of it, goes out to the client. */
  give(position: Position): void {
    const { given, log } = this;
    // What an operator has held back does not stand for the state, or the gap, that is owed to the client.
    if (!given || !this.#log) return;
    // An operator that changes the order does not take the client back, and what it has kept of a log that was
    // replaced says nothing of this one.
    if (position.offset <= given.offset || position.offset > this.read.offset) return;
    if (!log.has(position) && position.offset >= log.floor.offset) return;
    const { offset, mark } = position;
    // What was passed over after the last event that was handed on goes with it; not so a gap that is still owed.
    const isLast = offset >= this.#handedOn && this.#phase === READING;
    this.#given = isLast ? this.read : { offset, mark };
  }

  /**
   * Has the state of the channel told, before it starts, if that is what the client needs.
   *
   * @returns undefined where there is nothing to wait for
   */
  prepare(requested: Requested): Promise<void> | undefined {
    const { channel } = this;
    if (this.#phase.kind === 'preface') return undefined;
    if (channel.hasHistory && requested.kind !== 'none' && !missedBy(requested, channel.log))
      return undefined;
    const preface = this.reader.prefaceOf(this);
    if (!preface) return undefined;
    this.#phase = { kind: 'preface', preface };
    return preface.prepare();
  }

  /** Tells the client of a gap, whether it can take more or not: it is little, and comes first. */
  tellGapOwed(): void {
    const phase = this.#phase;
    if (phase.kind === 'gap') this.#tellGap(phase.missed, phase.preface);
  }

  /** Finds the position from which it reads, or that there is a gap. */
  start(requested: Requested): void {
    this.#log = this.channel.log;
    this.read = this.#liveAfter;
    if (requested.kind !== 'none' && this.channel.hasHistory) this.#resume(requested);
    else if (this.#phase.kind === 'opening') this.#beginAnew();
    if (this.#phase.kind === 'opening') this.#phase = READING;
    this.#given = this.#phase === READING ? this.read : undefined;
    this.#indexLatest();
  }

  /** The channel has changed, which is to be read at once or in its turn. */
  changed(when: 'at once' | 'in turn'): void {
    if (!this.started || this.isEnded) return;
    if (when === 'in turn') return this.#goOn();
    // What is gone after this is gone for good, so everything is taken that its client can take.
    let before = -1;
    while (!this.isEnded && this.read.offset !== before && (!this.#paused || this.#sink.makeRoom())) {
      before = this.read.offset;
      this.advance();
    }
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

  run(): void {
    this.#isDue = false;
    this.advance();
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

  /** It was not to be: the channel could not be opened. */
  fail(error: unknown): void {
    this.stop();
    for (const consumer of this.#consumers) consumer.error(error);
  }

  stop(): void {
    this.#given = this.given;
    this.#phase = ENDED;
  }

  /** Goes on from where its client is. */
  #resume(requested: NamedPosition): void {
    const missed = missedBy(requested, this.log);
    if (missed) return this.#miss(missed);
    this.#phase = READING;
    this.read = (requested as Extract<Requested, { kind: 'position' }>).position;
  }

  /** Begins for a client that has no position: with the present, or what was published before it. */
  #beginAnew(): void {
    const { log, replay } = this;
    if (replay === 'all') return this.#replayAll();
    // While it waited to begin, for another channel perhaps, nothing yet may have become another position, and the
    // log may have moved past what was the present then.
    if (this.read.offset === 0 && log.floor.offset === 0) this.read = log.floor;
    const reason = log.missing(this.read);
    if (reason) this.#miss({ reason, requested: '' });
    else if (replay !== 'none') this.read = log.before(replay, this.read);
  }

  /** Where the beginning was pushed out, whoever is to get everything is told that it is not everything. */
  #replayAll(): void {
    const { floor, clearedAt } = this.log;
    if (floor.offset > clearedAt) this.#miss({ reason: 'evicted', requested: '' });
    else this.read = floor;
  }

  /** Goes on from the oldest event that is left, or from a snapshot, and will say so. */
  #miss(missed: OwedGap): void {
    this.read = this.log.floor;
    const phase = this.#phase;
    const preface = 'preface' in phase ? phase.preface : this.reader.prefaceOf(this);
    this.#phase = { kind: 'gap', missed, preface };
  }

  /** The log has moved past it, or another has taken its place. Its client has not got everything after `given`. */
  #fallBehind(reason: GapReason): void {
    this.#given = this.given;
    this.#miss({ reason, requested: undefined });
  }

  /** The channel has another log. Who is at an event that it holds has missed nothing. */
  #changeLog(): void {
    this.#log = this.channel.log;
    this.#since = undefined;
    this.#indexLatest();
    const { given, log } = this;
    const phase = this.#phase;
    if (phase.kind === 'preface') {
      this.read = log.floor; // nothing was sent yet, so nothing was lost
    } else if (phase.kind === 'gap') {
      this.#miss(phase.missed);
    } else if (!log.has(this.read) || (given && !log.has(given) && given.offset >= log.floor.offset)) {
      this.#fallBehind(log.missing(this.read) ?? 'unknown');
    }
  }

  #indexLatest(): void {
    const { slow } = this;
    if (typeof slow === 'object') this.#latest = this.channel.latest(slow);
  }

  #advance(): void {
    if (this.#log !== this.channel.log) {
      if (this.#paused) return; // until it can be told its position is one of the old log
      this.#changeLog();
    }
    const { log } = this;
    if (this.read.offset < (this.#latest?.floor ?? log.floor.offset) && this.#phase === READING) {
      if (this.slow === 'disconnect') return this.#sink.disconnect();
      this.#fallBehind('lagged');
    }
    if (this.#paused) {
      if (this.#sink.backPressure === 'backed up' && this.read.offset < log.head.offset)
        this.#hasLagged = true;
      return;
    }
    this.tellGapOwed();
    const phase = this.#phase;
    if (phase.kind === 'preface' && !this.#sendPreface(phase.preface)) return;
    if (log.isAbsent) this.#moveWithAbsent();
    else if (this.read.offset < log.head.offset) this.#read();
    if (!this.#hasCaughtUp && this.read.offset === this.log.head.offset) this.#catchUp();
    if (this.isAtEnd) this.end();
  }

  #catchUp(): void {
    this.#hasCaughtUp = true;
    for (const consumer of this.#consumers) consumer.caughtUp?.();
  }

  /** Nothing yet is another position now, which its client must have before the one it has is worth nothing. */
  #moveWithAbsent(): void {
    const { head } = this.log;
    if (this.read.mark === head.mark) return;
    this.read = head;
    if (this.#given) this.#given = head;
    this.reader.moved('urgent');
  }

  /** Answers whether its client was sent the preface, and can take more. */
  #sendPreface(preface: Preface): boolean {
    const text = preface.take(
      () => this.advance(),
      (error) => this.reader.failed(this, error),
    );
    if (!text) return false;
    const { upTo } = text;
    const missed = missedBy(upTo, this.log);
    // It was in the log and is not any more: that is what it is to be too slow.
    if (missed) {
      // Without a position here: cut off before the state, a client is to come back for it.
      this.#tellGap(text.wasInLog ? { ...missed, reason: 'lagged' } : missed, preface);
      this.#begin(this.read);
    } else if (upTo.kind === 'position') this.#begin(upTo.position);
    this.#inContext(() => this.reader.preface(this, text));
    return !this.#paused && !this.isEnded;
  }

  /** The client has everything up to here, or was told that it has not. */
  #begin(position: Position): void {
    this.#phase = READING;
    this.read = this.#given = position;
    this.#handedOn = position.offset;
  }

  #read(): void {
    const isBehind = this.#hasLagged || this.read.offset < this.log.floor.offset;
    if (this.#latest && isBehind) this.#readLatest(this.#latest);
    else if (this.#sink.takesBatches) this.#readBatches();
    else this.#inContext(() => this.#readEvents());
    if (this.read.offset === this.log.head.offset) this.#hasLagged = false;
  }

  /** Hands on the newest event of each key, of all that has not been read. */
  #readLatest(index: LatestIndex): void {
    const { channel } = this;
    const newest = index.after(this.read.offset);
    if (newest.length === 0) {
      this.#hide(this.log.head, 0);
    } else if (this.#sink.takesBatches) {
      this.#handOnBatch(channel.batchOf(newest));
    } else {
      this.#inContext(() => {
        for (const entry of newest) {
          if (this.#paused || this.isEnded) return;
          this.#handOn(entry);
        }
      });
    }
    if (this.read.offset < this.log.head.offset) this.#goOnLater();
  }

  /** Says what is left now, which may be less than when the gap was found. */
  #tellGap({ reason, requested }: OwedGap, preface: Preface | undefined): void {
    const { log, channel, given } = this;
    const oldest = log.at(0);
    this.#begin(log.floor);
    if (preface) {
      this.#phase = { kind: 'preface', preface };
      this.#given = undefined;
    }
    const gap: Gap = {
      channel: channel.name,
      reason,
      requested: requested ?? (given ? channel.idOf(given) : ''),
      oldest: oldest && channel.hasHistory ? channel.idOf(oldest) : null,
      latest: channel.idOf(log.head),
    };
    this.#inContext(() => this.#sink.gap(this, gap));
  }

  #readBatches(): void {
    for (let i = 0; i < BATCHES_A_TURN; i++) {
      this.#handOnBatch(this.channel.batchAfter(this.read.offset));
      if (this.read.offset === this.log.head.offset || this.#paused || this.isEnded) return;
    }
    this.#goOnLater();
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
      if (this.read.offset < log.floor.offset) return this.#goOnLater();
      const entry = log.at(log.indexAfter(this.read.offset));
      if (!entry) return;
      this.#handOn(entry);
      if (this.#paused || this.isEnded) return;
    }
    this.#goOnLater();
  }

  #handOn(entry: LogEntry): void {
    const { offset, mark } = entry;
    const wanting = this.#whoWants(entry);
    if (wanting.length === 0 && this.isWanted) return this.#hide({ offset, mark }, entry.event.bytes);
    this.read = { offset, mark };
    this.#handedOn = offset;
    const event = this.channel.event(entry);
    this.handing = entry;
    for (const consumer of wanting) consumer.next(event);
    this.handing = undefined;
    this.#sink.handedOn();
  }

  #whoWants(entry: LogEntry): readonly EventConsumer[] {
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

  #goOn(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.queue.add(this);
  }

  #goOnLater(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.queue.addNext(this);
  }
}
