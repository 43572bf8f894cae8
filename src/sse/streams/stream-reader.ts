import {
  longestId,
  MAX_ID_BYTES,
  NO_POSITION,
  positionsFor,
  type LastEventId,
  type Position,
  type Requested,
} from '../protocol/position.js';
import { SseError } from '../sse.errors.js';
import { ClientPosition } from './client-position.js';
import type { ChannelGate } from './channel-gate.js';
import { currentCursor, Cursor, type CursorRequest } from './cursor.js';
import type { Preface, PrefaceText } from './preface.js';
import { PLAIN, type Sink } from './sink.js';
import type { Streams } from './streams.js';

/**
 * Reads the channels of one response, or of one plain subscription: it opens them, finds where each
 * begins, and hands on what they have.
 */
export class StreamReader {
  /** Where its client is. */
  readonly position: ClientPosition;
  /** What positions stand for that were not in the log of their channel, as it was here. */
  readonly #located = new Map<Cursor, Position | undefined>();
  #waiting = 0;
  #isPrompt = true;
  #entered = 0;
  #completed = 0;

  constructor(
    private readonly streams: Streams,
    public sink: Sink,
    brought: LastEventId = NO_POSITION,
    /** The response for whose client it begins in the past, although it is not seen to lead there. */
    private readonly client?: StreamReader,
  ) {
    this.position = new ClientPosition(brought);
  }

  /** Whether a channel is being opened, so that its position is not known. */
  get isLocating(): boolean {
    return this.#waiting > 0;
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
  enter(name: string, request: CursorRequest): Cursor {
    const known = this.position.of(name);
    if (known && !known.isEnded) return known;
    if (known) this.position.leave(known);
    this.#refuseTooMany(name);
    const lastEventId = this.position.in(name, request.lastEventId);
    const asked = lastEventId === request.lastEventId ? request : { ...request, lastEventId };
    const { channels } = this.streams;
    const cursor = channels.enter(name, (channel) => new Cursor(channel, this, asked, channels.queue));
    this.position.add(cursor);
    this.#entered++;
    if (!cursor.channel.isOpen) this.#isPrompt = false;
    this.#awaits(cursor, cursor.channel.opened);
    return cursor;
  }

  /**
   * Asks a gate for a channel. Until it is decided nothing begins: all channels of a response begin together.
   *
   * @param decided enters the channel, if it is granted
   * @returns false where nobody is asked
   */
  ask(gate: ChannelGate, channel: string, decided: (isGranted: boolean) => void): boolean {
    const isAsked = gate.ask(channel, this, (isGranted) => {
      try {
        decided(isGranted);
      } finally {
        this.#opened();
      }
    });
    if (!isAsked) return false;
    this.#waiting++;
    this.#isPrompt = false;
    return true;
  }

  /**
   * Takes a channel away from its client, whoever wants it: to them it has completed.
   *
   * @returns whether it was streamed
   */
  withdraw(name: string): boolean {
    const cursor = this.position.of(name);
    if (!cursor || cursor.isEnded) return false;
    this.#unsubscribed(cursor);
    this.position.withdraw(cursor);
    cursor.end();
    return true;
  }

  leave(cursor: Cursor): void {
    if (this.position.of(cursor.channel.name) !== cursor) return;
    // The event that makes it leave is out: its id still names the channel.
    if (cursor.handing) this.sink.handedOn();
    if (!cursor.isEnded) {
      this.#unsubscribed(cursor);
      cursor.stop();
      this.streams.channels.leave(cursor);
    }
    // That the client has all of a completed channel stays in its ids: it would get it again.
    if (!cursor.isAtEnd) this.position.leave(cursor);
  }

  #refuseTooMany(name: string): void {
    const { position } = this;
    const { maxChannels } = this.streams;
    if (position.size >= maxChannels)
      throw tooMany(`at most limits.channelsPerConnection (${maxChannels}) channels`);
    if (position.size === 0) return;
    const idLength = longestId([...position.cursors.map(({ channel }) => channel.name), name]);
    if (idLength > MAX_ID_BYTES)
      throw tooMany(`channels whose names fit into an id of ${MAX_ID_BYTES} bytes`);
  }

  /**
   * The response is over. What is still subscribed to, because it was shared with others, goes on as a
   * plain source until they leave.
   */
  end(): void {
    for (const cursor of this.position.cursors) this.#unsubscribed(cursor);
    this.sink = PLAIN;
    for (const cursor of this.position.cursors) {
      if (cursor.isWanted) this.disown(cursor.channel.name);
      else this.leave(cursor);
    }
  }

  /**
   * A stream of this reader has reached a response that is not its own: nothing there is at this one's pace.
   *
   * @returns whether that is news
   */
  disown(name: string): boolean {
    const cursor = this.position.of(name);
    if (!cursor || cursor.isForeign) return false;
    cursor.isForeign = true;
    cursor.isUnpaced = true;
    this.streams.channels.queue.addNext(cursor);
    return true;
  }

  /** The same for the reader that is handing on an event now, if that is another. */
  disownOther(name: string): boolean {
    const reader = currentCursor()?.reader;
    return reader !== undefined && reader !== this && reader.disown(name);
  }

  /**
   * Whether what arrives now is of the past of a channel, and was read for another response than this
   * reader's: a stream that several share may have begun where one of them was.
   */
  get isForAnother(): boolean {
    const cursor = currentCursor();
    const client = cursor?.reader.client;
    return cursor !== undefined && client !== undefined && client !== this && !cursor.isLive;
  }

  /** The client can take more. */
  resume(): void {
    for (const cursor of this.position.cursors) cursor.advance();
  }

  /** The client's position has moved without an event. */
  moved(when: 'urgent' | 'lazy'): void {
    this.position.hasMoved = true;
    this.sink.moved(when);
  }

  /** A preface that the client of a cursor can be sent; undefined where there is none. */
  prefaceOf({ channel, isForeign }: Cursor): Preface | undefined {
    return !this.sink.takesPrefaces || isForeign ? undefined : this.streams.prefaces.of(channel);
  }

  preface(cursor: Cursor, text: PrefaceText): void {
    this.sink.batch(text.batch(this.position.tell(), cursor.read));
  }

  failed(cursor: Cursor, error: unknown): void {
    if (cursor.isEnded) return;
    this.leave(cursor);
    cursor.fail(error);
  }

  /** Its channel can be given back; that the client has all of it stays in the ids. */
  ended(cursor: Cursor): void {
    if (cursor.isAtEnd) this.#completed++;
    this.#unsubscribed(cursor);
    this.streams.channels.leave(cursor);
  }

  #subscribed(cursor: Cursor): void {
    if (cursor.isEnded || cursor.isSubscribed) return;
    cursor.isSubscribed = true;
    this.sink.subscribed(cursor.channel.name);
  }

  #unsubscribed(cursor: Cursor): void {
    if (!cursor.isSubscribed) return;
    cursor.isSubscribed = false;
    this.sink.unsubscribed(cursor.channel.name);
  }

  /** Nothing begins before that, and where it fails a cursor does not begin at all. */
  #awaits(cursor: Cursor, ready: Promise<void>): void {
    this.#waiting++;
    ready.then(
      () => this.#opened(),
      (error: unknown) => {
        this.failed(cursor, error);
        this.#opened();
      },
    );
  }

  #opened(): void {
    if (--this.#waiting > 0) return;
    const fresh = this.position.cursors.filter(({ started, isEnded }) => !started && !isEnded);
    const requested = fresh.map((cursor) => this.#requestedOf(cursor));
    if (this.#locates(fresh, requested) || this.#prepares(fresh, requested)) return;
    fresh.forEach((cursor, i) => cursor.start(requested[i] as Requested));
    this.#located.clear();
    this.sink.located();
    for (const cursor of fresh) cursor.tellGapOwed();
    for (const cursor of fresh) cursor.advance();
    for (const cursor of fresh) this.#subscribed(cursor);
    this.sink.begun(this.#isPrompt ? 'at once' : 'later');
    this.#isPrompt = true;
  }

  /**
   * A client that another process has served may know more of a log than has come here, and may be owed more than is
   * kept here: that is to be seen to first.
   */
  #locates(fresh: readonly Cursor[], requested: readonly Requested[]): boolean {
    fresh.forEach((cursor, i) => {
      if (this.#located.has(cursor)) return;
      const found = this.#lookedFor(cursor, requested[i] as Requested);
      if (!found) return;
      this.#isPrompt = false;
      this.#awaits(
        cursor,
        found.then((position) => {
          this.#located.set(cursor, position);
        }),
      );
    });
    return this.#waiting > 0;
  }

  #lookedFor({ channel, replay }: Cursor, asked: Requested): Promise<Position | undefined> | undefined {
    if (!channel.hasHistory) return undefined;
    if (asked.kind === 'none') return replay === 'none' ? undefined : channel.refill()?.then(() => undefined);
    if (asked.kind !== 'position' || channel.log.has(asked.position)) return undefined;
    return channel.locate(asked.position);
  }

  /** A client that needs the state of a channel waits for it: what fails until then is the request's error. */
  #prepares(fresh: readonly Cursor[], requested: readonly Requested[]): boolean {
    fresh.forEach((cursor, i) => {
      const prepared = cursor.prepare(requested[i] as Requested);
      if (!prepared) return;
      this.#isPrompt = false;
      this.#awaits(cursor, prepared);
    });
    return this.#waiting > 0;
  }

  /** What the client has asked of a channel, among those that it asked for at once. */
  #requestedOf(cursor: Cursor): Requested {
    const { lastEventId } = cursor.request;
    if (lastEventId.kind === 'none') return lastEventId;
    const isAmong = (other: Cursor): boolean =>
      other.channel.isOpen && (other.started || other.request.lastEventId === lastEventId);
    const candidates = new Map(
      this.position.cursors
        .filter(isAmong)
        .map(({ channel }) => [
          channel.name,
          { hash: channel.hash, has: (position: Position) => channel.log.has(position) },
        ]),
    );
    const requested = positionsFor(lastEventId, candidates).get(cursor.channel.name) ?? { kind: 'none' };
    const located = this.#located.get(cursor);
    return located && requested.kind === 'position' ? { ...requested, position: located } : requested;
  }
}

function tooMany(what: string): SseError {
  return new SseError(
    'TOO_MANY_CHANNELS',
    `One response takes ${what}. Stream fewer, or open a second connection.`,
  );
}
