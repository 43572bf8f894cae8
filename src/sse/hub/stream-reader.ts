import {
  encodedLength,
  formatNamed,
  formatPosition,
  MAX_ID_BYTES,
  type LastEventId,
  positionsFor,
  type Position,
} from '../protocol/position.js';
import { SseError } from '../sse.errors.js';
import type { Replay, SlowPolicy } from '../sse.options.js';
import type { Batch } from './channel.js';
import type { Channels } from './channels.js';
import { Cursor, type CursorHost } from './cursor.js';
import { gapEvent } from './published-event.js';
import type { Gap } from './sse-event.js';

/** What a reader asks of the response, or of the plain subscription, that it reads for. */
export interface ReaderOwner {
  readonly paused: boolean;
  readonly lags: boolean;
  readonly slow: SlowPolicy | undefined;
  readonly batches: ((cursor: Cursor, batch: Batch) => void) | undefined;
  gap(cursor: Cursor, gap: Gap): void;
  disconnect(): void;
  /** Runs user code in the context of the one who subscribed, not of whoever published. */
  run(task: () => void): void;
  /** The position of every channel that was asked for is known. */
  located(): void;
}

/**
 * A reader for nobody's response: a gap is an event among the others, and nothing holds it up.
 */
export const PLAIN: ReaderOwner = {
  paused: false,
  lags: false,
  slow: 'gap',
  batches: undefined,
  gap: ({ channel, log, consumers, position }, gap) => {
    const id = channel.hasHistory ? formatPosition({ epoch: log.epoch, offset: position }) : undefined;
    const event = gapEvent(gap, id);
    for (const consumer of [...consumers]) consumer.next(event);
  },
  disconnect: () => undefined,
  run: (task) => {
    task();
  },
  located: () => undefined,
};

/** Where a client is in one channel, for the ids it is sent. */
interface Track {
  readonly cursor: Cursor;
  /** Whether its events were seen to go to another response: then it has no part in the ids of this one. */
  isForeign: boolean;
  /** Whether it is read no more. */
  isLeft: boolean;
  /**
   * The offset that the ids name: the client has, or does not want, everything up to it. Undefined
   * until it was told of a gap that it came with; if it is cut off before, it must come back with that.
   */
  told: number | undefined;
  /** The cursor's position when hidden events were last looked at. */
  seen: number;
  /** Whether an operator was seen to hand an event on later than it got it. */
  isHeld: boolean;
}

/** An event's place in a log. */
interface DeliveredEvent {
  readonly channel: string;
  readonly epoch: string;
  readonly entry: { readonly offset: number };
}

/** The reader that hands events on at this moment. */
let handingOn: StreamReader | undefined;

/**
 * Reads the channels of one response, or of one plain subscription: it opens them, finds where each
 * begins, and keeps the positions of which the client's ids are made.
 */
export class StreamReader implements CursorHost {
  readonly #tracks = new Map<string, Track>();
  /** Where the client was in channels that its stream has left, should it enter them again. */
  #left: Map<string, LastEventId> | undefined;
  #waiting = 0;
  #entered = 0;
  #completed = 0;
  #idLength = 0;
  #handingOn: Cursor | undefined;

  constructor(
    private readonly channels: Channels,
    private owner: ReaderOwner,
    private readonly maxChannels: number,
    /** The response for whose client it begins in the past, although it is not seen to lead there. */
    private readonly client?: { readonly reader: StreamReader },
  ) {}

  get paused(): boolean {
    return this.owner.paused;
  }

  get lags(): boolean {
    return this.owner.lags;
  }

  get slow(): SlowPolicy | undefined {
    return this.owner.slow;
  }

  get batches(): ((cursor: Cursor, batch: Batch) => void) | undefined {
    return this.owner.batches;
  }

  /** Whether a channel is being opened, so that its position is not known. */
  get isLocating(): boolean {
    return this.#waiting > 0;
  }

  get names(): string[] {
    return [...this.#tracks.values()]
      .filter(({ isLeft }) => !isLeft)
      .map(({ cursor }) => cursor.channel.name);
  }

  /** Whether the response has ids of the hub. */
  get hasPositions(): boolean {
    for (const track of this.#tracks.values()) if (hasPosition(track)) return true;
    return false;
  }

  /** Whether it has read any channel. */
  get isUsed(): boolean {
    return this.#entered > 0;
  }

  /** Whether it has read channels, and every one of them to its end: nothing will ever come again. */
  get isExhausted(): boolean {
    return this.#completed > 0 && this.#entered === this.#completed;
  }

  /**
   * The cursor on a channel. One that is there already is shared: all that a response does with a
   * channel happens from one position.
   *
   * @throws SseError `TOO_MANY_CHANNELS`, `HUB_CLOSED`
   */
  enter(name: string, lastEventId: LastEventId, replay: Replay | undefined): Cursor {
    const track = this.#tracks.get(name);
    if (track && !track.cursor.isEnded) return track.cursor;
    if (track) this.#forget(track);
    if (this.#tracks.size >= this.maxChannels)
      throw tooMany(`at most limits.channelsPerConnection (${this.maxChannels}) channels`);
    const length = encodedLength(name);
    if (this.#idLength + length > MAX_ID_BYTES)
      throw tooMany(`channels whose names fit into an id of ${MAX_ID_BYTES} bytes`);
    const from = this.#left?.get(name) ?? lastEventId;
    const cursor = this.channels.enter(
      name,
      (channel) => new Cursor(channel, this, from, replay, this.channels.turns),
    );
    this.#idLength += length;
    this.#tracks.set(name, {
      cursor,
      isForeign: false,
      isLeft: false,
      told: undefined,
      seen: 0,
      isHeld: false,
    });
    this.#entered++;
    this.#waiting++;
    cursor.channel.opened.then(
      () => this.#opened(),
      (error: unknown) => {
        this.leave(cursor);
        cursor.fail(error);
        this.#opened();
      },
    );
    return cursor;
  }

  leave(cursor: Cursor): void {
    const track = this.#tracks.get(cursor.channel.name);
    if (track?.cursor !== cursor || track.isLeft) return;
    track.isLeft = true;
    cursor.stop();
    this.channels.leave(cursor);
    // That the client has all of a completed channel stays in its ids: it would get it again.
    if (!cursor.isAtEnd) this.#forget(track);
  }

  #forget({ cursor }: Track): void {
    const { name, hasHistory } = cursor.channel;
    this.#tracks.delete(name);
    this.#idLength -= encodedLength(name);
    if (!cursor.started || !hasHistory) return;
    this.#left ??= new Map();
    if (this.#left.size >= this.maxChannels) this.#left.delete(this.#left.keys().next().value as string);
    const position = { epoch: cursor.log.epoch, offset: cursor.position };
    this.#left.set(name, { kind: 'named', text: '', positions: new Map([[name, position]]) });
  }

  /**
   * The response is over. What is still subscribed to, because it was shared with others, goes on as a
   * plain source until they leave.
   */
  end(): void {
    this.owner = PLAIN;
    for (const { cursor } of [...this.#tracks.values()]) {
      if (cursor.consumers.size === 0) this.leave(cursor);
      else this.disown(cursor.channel.name);
    }
    this.#left = undefined;
  }

  /** A stream of this reader has reached a response that is not its own: nothing there is at this one's pace. */
  disown(name: string): void {
    const track = this.#tracks.get(name);
    if (!track || track.isForeign) return;
    track.isForeign = true;
    track.cursor.isUnpaced = true;
    this.channels.turns.addNext(track.cursor);
  }

  /** The same for the reader that is handing on an event now, if that is another. */
  disownOther(name: string): void {
    if (handingOn !== this) handingOn?.disown(name);
  }

  /**
   * Whether what arrives now is of the past of a channel, and was read for another response than this
   * reader's: a stream that several share may have begun where one of them was.
   */
  get isForAnother(): boolean {
    const client = handingOn?.client;
    if (!handingOn || !client || client.reader === this) return false;
    const cursor = handingOn.#handingOn;
    return cursor !== undefined && cursor.position <= cursor.liveAfter;
  }

  /** Whether it is handing on an event at this moment, as its client can take it. */
  get isPaced(): boolean {
    return handingOn === this && this.#handingOn?.isUnpaced === false;
  }

  reads(name: string): boolean {
    return this.#tracks.has(name);
  }

  /** The client can take more. */
  resume(): void {
    for (const { cursor } of [...this.#tracks.values()]) cursor.advance();
  }

  gap(cursor: Cursor, gap: Gap): void {
    const track = this.#tracks.get(cursor.channel.name);
    if (track) track.told = track.seen = cursor.position;
    this.owner.gap(cursor, gap);
  }

  /** Its channel can be given back; that the client has all of it stays in the ids. */
  ended(cursor: Cursor): void {
    if (cursor.isAtEnd) this.#completed++;
    this.channels.leave(cursor);
  }

  disconnect(): void {
    this.owner.disconnect();
  }

  run(cursor: Cursor, task: () => void): void {
    this.owner.run(() => {
      const before = handingOn;
      const cursorBefore = this.#handingOn;
      handingOn = this; // eslint-disable-line @typescript-eslint/no-this-alias -- where an event arrives it is to be seen by whom it was read
      this.#handingOn = cursor;
      try {
        task();
      } finally {
        handingOn = before;
        this.#handingOn = cursorBefore;
      }
    });
  }

  /** A batch goes out to the client, with its ids. */
  sent(cursor: Cursor): void {
    const track = this.#tracks.get(cursor.channel.name);
    if (track) track.told = cursor.position;
  }

  /**
   * An event of the hub reached the client's connection. Answers whether it is of a channel that this
   * reader reads, and so has a part in the ids.
   */
  deliver({ channel, epoch, entry }: DeliveredEvent): boolean {
    const track = this.#tracks.get(channel);
    if (!track || !hasPosition(track) || track.cursor.log.epoch !== epoch) return false;
    if (handingOn !== this) track.isHeld = true;
    // An operator that changes the order does not take the client back.
    if (entry.offset > (track.told ?? -1)) track.told = entry.offset;
    return true;
  }

  /** The channel with that epoch. */
  channelOf(epoch: string): string | undefined {
    for (const [name, { cursor }] of this.#tracks)
      if (cursor.started && cursor.log.epoch === epoch) return name;
    return undefined;
  }

  /** The id that names the client's present position; undefined where no channel has one, or a gap is to be told first. */
  id(): string | undefined {
    const positions: [string, Position][] = [];
    for (const [name, track] of this.#tracks) {
      if (!track.cursor.started || !hasPosition(track)) continue;
      if (track.told === undefined) return undefined;
      positions.push([name, { epoch: track.cursor.log.epoch, offset: track.told }]);
    }
    if (positions.length > 1) return positions.map((named) => formatNamed(...named)).join('&');
    return positions[0] && formatPosition(positions[0][1]);
  }

  /**
   * Takes in events that the client was not sent, because an operator hid them. Answers whether its
   * position has moved by that.
   *
   * An operator that hides events and one that holds them for a while look alike. So an event counts as
   * hidden only when it was there at the last look already, and never where one was seen to come late.
   *
   * @param isComplete whether the Observable has completed, so that nothing can be held
   */
  passHidden(isComplete = false): boolean {
    let moved = false;
    for (const track of this.#tracks.values()) {
      const { cursor, told, seen, isHeld } = track;
      if (!hasPosition(track) || told === undefined || cursor.isMissing) continue;
      const passed = isComplete ? cursor.position : isHeld ? told : seen;
      track.seen = cursor.position;
      if (passed <= told) continue;
      track.told = passed;
      moved = true;
    }
    return moved;
  }

  #opened(): void {
    if (--this.#waiting > 0) return;
    const fresh = [...this.#tracks.values()].filter(({ cursor }) => !cursor.started);
    const asked = new Set(fresh.map(({ cursor }) => cursor.lastEventId));
    for (const lastEventId of asked) this.#start(lastEventId, fresh);
    this.owner.located();
    for (const { cursor } of fresh) cursor.tellMissed();
    for (const { cursor } of fresh) cursor.advance();
  }

  #start(lastEventId: LastEventId, fresh: readonly Track[]): void {
    const tracks = fresh.filter(({ cursor }) => cursor.lastEventId === lastEventId);
    const known = [...this.#tracks.values()].filter(({ cursor }) => cursor.started);
    const epochs = new Map(
      [...known, ...tracks].map(({ cursor: { channel } }) => [channel.name, channel.log.epoch]),
    );
    const requested = positionsFor(lastEventId, epochs);
    for (const track of tracks) {
      track.cursor.start(requested.get(track.cursor.channel.name) ?? { kind: 'none' });
      track.seen = track.cursor.position;
      track.told = track.cursor.isMissing ? undefined : track.seen;
    }
  }
}

/** Whether the client resumes in that channel. */
const hasPosition = ({ cursor, isForeign }: Track): boolean => cursor.channel.hasHistory && !isForeign;

function tooMany(what: string): SseError {
  return new SseError(
    'TOO_MANY_CHANNELS',
    `One response takes ${what}. Stream fewer, or open a second connection.`,
  );
}
