import { formatPosition, type LastEventId, type Requested } from '../../protocol/position.js';
import type { Replay, SlowPolicy } from '../../sse.options.js';
import type { Batch, Channel } from '../channel.js';
import type { ChannelSnapshots } from '../snapshots/channel-snapshots.js';
import type { EventLog, LogEntry } from '../event-log.js';
import type { LatestIndex } from '../latest-index.js';
import { DueSnapshot } from '../snapshots/due-snapshot.js';
import { missedPosition, type MissedPosition } from '../missed-position.js';
import type { Snapshot } from '../snapshots/snapshot.js';
import type { Gap, SseEvent } from '../sse-event.js';
import type { Turn, TurnTask } from '../turn.js';

/** Those who get the events of a cursor, one at a time. */
export interface EventConsumer {
  next(event: SseEvent): void;
  complete(): void;
  error(error: unknown): void;
}

/** What a cursor asks of the reader it belongs to. */
export interface CursorHost {
  /** Whether its client cannot take more now. `advance()` is called when it can. */
  readonly paused: boolean;
  /** Whether that is because its client does not take what was written. */
  readonly lags: boolean;
  /** What happens when the log has moved past it, in place of the channel's setting. */
  readonly slow: SlowPolicy | undefined;
  /** Whether it takes the events as bytes, those of the one channel that it reads; if not they go to the consumers. */
  readonly takesBatches: boolean;
  /** Takes all events up to the cursor's position. */
  batch(batch: Batch): void;
  /** Tells the client of a gap. */
  gap(cursor: Cursor, gap: Gap): void;
  /** How its client can be shown the state of the channel; undefined where it cannot. */
  snapshotsOf(cursor: Cursor): ChannelSnapshots | undefined;
  /** Shows its client the state of the channel up to the cursor's position. */
  snapshot(cursor: Cursor, snapshot: Snapshot): void;
  /** The cursor needs its channel no more. */
  ended(cursor: Cursor): void;
  /** The cursor cannot go on. */
  failed(cursor: Cursor, error: unknown): void;
  /** The log has moved past a client that shall be disconnected then. */
  disconnect(): void;
  /** Runs what hands events to consumers. */
  run(cursor: Cursor, task: () => void): void;
}

const NOBODY: readonly EventConsumer[] = [];

/** Events that a cursor hands on before others get a turn. */
const EVENTS_A_TURN = 500;
/** The same for bytes that go out as batches. */
const BATCHES_A_TURN = 4;

/**
 * A place in a channel's log, from which one subscriber reads on. Live delivery, replay after a
 * reconnect and a slow client that catches up are all this.
 */
export class Cursor implements TurnTask {
  /** The last offset that was handed on. */
  position = 0;
  /** It goes on although its own client is paused: others depend on it. */
  isUnpaced = false;
  /** It was said that nobody is to be asked who may have its events. */
  isForAll = false;
  /** Never changed but replaced, so that those may come and go who are being told. */
  #consumers: readonly EventConsumer[] = NOBODY;
  /** What it could not be given, until its client was told. */
  #missed: MissedPosition | undefined;
  /** What its client is to be shown before it gets what comes after that. */
  #due: DueSnapshot | undefined;
  /** Where a client that lags is given the newest event of each key alone. */
  #latest: LatestIndex | undefined;
  /** Whether its client could not take what came. */
  #hasLagged = false;
  #advancing = false;
  #isDue = false;
  /** What was published before it was made is the past to it. */
  #since: number | undefined;
  #log: EventLog | undefined;
  #ended = false;

  constructor(
    readonly channel: Channel,
    readonly host: CursorHost,
    /** What the client says it has seen. */
    readonly lastEventId: LastEventId,
    /** In place of the channel's setting. */
    readonly replay: Replay | undefined,
    private readonly turns: Turn,
  ) {
    this.#since = channel.present;
  }

  join(consumer: EventConsumer): void {
    this.#consumers = this.#consumers.concat(consumer);
  }

  part(consumer: EventConsumer): void {
    this.#consumers = this.#consumers.filter((other) => other !== consumer);
  }

  /** Whether anybody wants its events. */
  get isWanted(): boolean {
    return this.#consumers.length > 0;
  }

  /** Gives an event to those who want it. */
  tell(event: SseEvent): void {
    for (const consumer of this.#consumers) consumer.next(event);
  }

  /** What happens when the log has moved past its client. */
  get slow(): SlowPolicy {
    return this.host.slow ?? this.channel.settings.slow;
  }

  get #paused(): boolean {
    return this.host.paused && !this.isUnpaced;
  }

  /** Whether its position is known. */
  get started(): boolean {
    return this.#log !== undefined;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** The log that its position is of; there once it has started. */
  get log(): EventLog {
    return this.#log as EventLog;
  }

  /** Whether the channel was completed and all of it was handed on. */
  get isAtEnd(): boolean {
    return this.#log?.completed === true && this.position === this.#log.head;
  }

  /** Whether what it has just handed on was published since it was made. */
  get isLive(): boolean {
    return this.position > this.#liveAfter;
  }

  get #liveAfter(): number {
    return this.#since ?? this.channel.openedAt;
  }

  /** Whether there is a gap that its client has not been told of. */
  get isMissing(): boolean {
    return this.#missed !== undefined;
  }

  /** Whether its client has no place in the log before it was shown the state of the channel. */
  get awaitsSnapshot(): boolean {
    return this.#due !== undefined;
  }

  /**
   * Has the state of the channel told, before it starts, if that is what the client needs.
   *
   * @returns undefined where there is nothing to wait for
   */
  prepare(requested: Requested): Promise<void> | undefined {
    const { channel } = this;
    if (this.#due) return undefined;
    if (channel.hasHistory && requested.kind !== 'none' && !missedPosition(requested, channel.log))
      return undefined;
    this.#oweSnapshot();
    return (this.#due as DueSnapshot | undefined)?.make();
  }

  /** Tells the client of a gap, whether it can take more or not: it is little, and comes first. */
  tellMissed(): void {
    if (this.#missed && !this.#ended) this.#tellGap(this.#missed);
  }

  /** Finds the position from which it reads, or that there is a gap. */
  start(requested: Requested): void {
    this.#log = this.channel.log;
    this.position = this.#liveAfter;
    if (this.channel.hasHistory) this.#locate(requested);
    this.#indexLatest();
  }

  /** The channel has changed, which is to be read at once or in its turn. */
  changed(when: 'at once' | 'in turn'): void {
    if (when === 'at once') this.advance();
    else if (this.started && !this.#ended) this.#goOn();
  }

  /** Hands on what has come since, as much as the client can take. */
  advance(): void {
    if (!this.started || this.#ended || this.#advancing) return;
    this.#advancing = true;
    try {
      this.#advance();
    } finally {
      this.#advancing = false;
    }
  }

  turn(): void {
    this.#isDue = false;
    this.advance();
  }

  /** Nothing more comes: the channel was completed, or the hub was closed. */
  end(): void {
    if (this.#ended) return;
    this.stop();
    this.host.ended(this);
    this.host.run(this, () => {
      for (const consumer of this.#consumers) consumer.complete();
    });
  }

  /** It was not to be: the channel could not be opened. */
  fail(error: unknown): void {
    this.stop();
    for (const consumer of this.#consumers) consumer.error(error);
  }

  stop(): void {
    this.#ended = true;
  }

  #locate(requested: Requested): void {
    const { log } = this;
    if (requested.kind === 'none') {
      if (this.#due) return;
      const replay = this.replay ?? this.channel.settings.replay;
      if (replay === 'all') this.position = log.floor;
      else if (replay !== 'none') this.position = log.before(replay, this.position);
      return;
    }
    const missed = missedPosition(requested, log);
    if (missed || requested.kind === 'unreadable') return this.#miss(missed as MissedPosition);
    this.#due = undefined;
    this.position = requested.position.offset;
  }

  /** Goes on from the oldest event that is left, or from a snapshot, and will say so. */
  #miss(missed: MissedPosition): void {
    this.position = this.log.floor;
    this.#missed = missed;
    this.#oweSnapshot();
  }

  #oweSnapshot(): void {
    if (this.#due) return;
    const snapshots = this.host.snapshotsOf(this);
    if (snapshots) this.#due = new DueSnapshot(snapshots);
  }

  /** The channel has a new log: its client is told of that, and goes on with all there is of it. */
  #changeLog(): void {
    const requested = formatPosition({ epoch: this.log.epoch, offset: this.position });
    this.#log = this.channel.log;
    this.#since = undefined;
    // One that was shown nothing yet has lost nothing.
    if (this.#due && !this.#missed) this.position = this.log.floor;
    else this.#miss(this.#missed ?? { reason: 'epoch', requested });
    this.#indexLatest();
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
    if (this.position < (this.#latest?.floor ?? log.floor) && !this.#missed && !this.#due) {
      if (this.slow === 'disconnect') return this.host.disconnect();
      const requested = formatPosition({ epoch: log.epoch, offset: this.position });
      this.#miss({ reason: 'lagged', requested });
    }
    if (this.#paused) {
      if (this.host.lags && this.position < log.head) this.#hasLagged = true;
      return;
    }
    this.tellMissed();
    if (this.#due && !this.#showState(this.#due)) return;
    if (this.position < log.head) this.#read();
    if (this.isAtEnd) this.end();
  }

  /** Answers whether its client was shown the state, and can take more. */
  #showState(due: DueSnapshot): boolean {
    const snapshot = due.take(
      () => this.advance(),
      (error) => this.host.failed(this, error),
    );
    if (!snapshot) return false;
    const { after } = snapshot;
    const missed = missedPosition(after, this.log);
    // It was in the log and is not any more: that is what it is to be too slow.
    if (missed) this.#tellGap(snapshot.wasInLog ? { ...missed, reason: 'lagged' } : missed);
    else if (after.kind === 'position') this.position = after.position.offset;
    this.#due = undefined;
    this.host.run(this, () => this.host.snapshot(this, snapshot));
    return !this.#paused && !this.#ended;
  }

  #read(): void {
    const skipTo =
      this.#latest && (this.#hasLagged || this.position < this.log.floor) ? this.#latest : undefined;
    if (skipTo) this.#readLatest(skipTo);
    else if (this.host.takesBatches) this.#readBatches();
    else this.host.run(this, () => this.#readEvents());
    if (this.position === this.log.head) this.#hasLagged = false;
  }

  /** Hands on the newest event of each key, of all that has not been read. */
  #readLatest(index: LatestIndex): void {
    const { channel } = this;
    const newest = index.after(this.position);
    if (newest.length === 0) {
      this.position = this.log.head;
    } else if (this.host.takesBatches) {
      const batch = channel.batchOf(newest);
      this.position = batch.upTo;
      this.host.batch(batch);
    } else {
      this.host.run(this, () => {
        for (const entry of newest) {
          if (this.#paused || this.#ended) return;
          this.#handOn(entry);
        }
      });
    }
    if (this.position < this.log.head) this.#goOnLater();
  }

  /** Says what is left now, which may be less than when the gap was found. */
  #tellGap(missed: MissedPosition): void {
    const { log } = this;
    const { name, hasHistory } = this.channel;
    const id = (offset: number): string => formatPosition({ epoch: log.epoch, offset });
    const oldest = log.at(0);
    this.#missed = undefined;
    this.position = log.floor;
    const gap: Gap = {
      channel: name,
      ...missed,
      oldest: oldest && hasHistory ? id(oldest.offset) : null,
      latest: hasHistory ? id(log.head) : '',
    };
    this.host.run(this, () => this.host.gap(this, gap));
  }

  #readBatches(): void {
    for (let i = 0; i < BATCHES_A_TURN; i++) {
      const batch = this.channel.batchAfter(this.position);
      this.position = batch.upTo;
      this.host.batch(batch);
      if (this.position === this.log.head || this.#paused || this.#ended) return;
    }
    this.#goOnLater();
  }

  #readEvents(): void {
    const { log } = this;
    for (let i = 0; i < EVENTS_A_TURN; i++) {
      // Looked up anew: a consumer may publish, and so push out what was to come.
      if (this.position < log.floor) return this.#goOnLater();
      const entry: LogEntry | undefined = log.at(log.indexAfter(this.position));
      if (!entry) return;
      this.#handOn(entry);
      if (this.#paused || this.#ended) return;
    }
    this.#goOnLater();
  }

  #handOn(entry: LogEntry): void {
    this.position = entry.offset;
    const event = this.channel.event(entry);
    this.tell(event);
  }

  #goOn(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.turns.add(this);
  }

  #goOnLater(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.turns.addNext(this);
  }
}
