import {
  encodedLength,
  MAX_ID_BYTES,
  type LastEventId,
  positionsFor,
  type Requested,
} from '../../protocol/position.js';
import { SseError } from '../../sse.errors.js';
import type { Replay, SlowPolicy } from '../../sse.options.js';
import type { Batch } from '../channel.js';
import type { ChannelSnapshots } from '../snapshots/channel-snapshots.js';
import type { Channels } from '../channels.js';
import { ClientPosition } from './client-position.js';
import { Cursor, type CursorHost } from './cursor.js';
import { cursorHandingOn, handOn } from './handing-on.js';
import { gapReason, type LogBounds } from '../missed-position.js';
import { PLAIN, type ReaderOwner } from './reader-owner.js';
import type { Snapshot } from '../snapshots/snapshot.js';
import type { Gap } from '../sse-event.js';
import { Track } from './track.js';

/**
 * Reads the channels of one response, or of one plain subscription: it opens them, finds where each
 * begins, and hands on what they have.
 */
export class StreamReader implements CursorHost {
  /** Where its client is. */
  readonly position = new ClientPosition(this);
  /** Where the client was in channels that its stream has left, should it enter them again. */
  #left: Map<string, LastEventId> | undefined;
  #waiting = 0;
  #isPrompt = true;
  #entered = 0;
  #completed = 0;

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

  get takesBatches(): boolean {
    return this.owner.takesBatches;
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
  enter(name: string, lastEventId: LastEventId, replay: Replay | undefined): Cursor {
    const track = this.position.of(name);
    if (track && !track.cursor.isEnded) return track.cursor;
    if (track) this.#forget(track);
    this.#refuseTooMany(name);
    const from = this.#left?.get(name) ?? lastEventId;
    const cursor = this.channels.enter(
      name,
      (channel) => new Cursor(channel, this, from, replay, this.channels.turns),
    );
    this.position.add(new Track(cursor));
    this.#entered++;
    if (!cursor.channel.isOpen) this.#isPrompt = false;
    this.#awaits(cursor, cursor.channel.opened);
    return cursor;
  }

  /** Nothing begins until `proceed()` was called as often: something is to be decided first. */
  hold(): void {
    this.#waiting++;
    this.#isPrompt = false;
  }

  proceed(): void {
    this.#opened();
  }

  /**
   * Takes a channel away from its client, whoever wants it: to them it has completed.
   *
   * @returns whether it was streamed
   */
  withdraw(name: string): boolean {
    const track = this.position.of(name);
    if (!track || track.isLeft || track.cursor.isEnded) return false;
    this.#unsubscribed(track);
    this.#forget(track);
    track.cursor.end();
    return true;
  }

  leave(cursor: Cursor): void {
    const track = this.position.of(cursor.channel.name);
    if (track?.cursor !== cursor || track.isLeft) return;
    track.isLeft = true;
    this.#unsubscribed(track);
    cursor.stop();
    this.channels.leave(cursor);
    // That the client has all of a completed channel stays in its ids: it would get it again.
    if (!cursor.isAtEnd) this.#forget(track);
  }

  #refuseTooMany(name: string): void {
    const { position } = this;
    if (position.size >= this.maxChannels)
      throw tooMany(`at most limits.channelsPerConnection (${this.maxChannels}) channels`);
    if (position.size === 0) return;
    const idLength = position.tracks.reduce(
      (sum, { cursor }) => sum + encodedLength(cursor.channel.name),
      encodedLength(name),
    );
    if (idLength > MAX_ID_BYTES)
      throw tooMany(`channels whose names fit into an id of ${MAX_ID_BYTES} bytes`);
  }

  #forget(track: Track): void {
    const { cursor } = track;
    const { name, hasHistory } = cursor.channel;
    this.position.delete(track);
    if (!cursor.started || !hasHistory || cursor.awaitsSnapshot) return;
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
    for (const track of this.position.tracks) this.#unsubscribed(track);
    this.owner = PLAIN;
    for (const { cursor } of this.position.tracks) {
      if (cursor.isWanted) this.disown(cursor.channel.name);
      else this.leave(cursor);
    }
    this.#left = undefined;
  }

  /** A stream of this reader has reached a response that is not its own: nothing there is at this one's pace. */
  disown(name: string): void {
    const track = this.position.of(name);
    if (!track || track.isForeign) return;
    track.isForeign = true;
    track.cursor.isUnpaced = true;
    this.channels.turns.addNext(track.cursor);
  }

  /** The same for the reader that is handing on an event now, if that is another. */
  disownOther(name: string): void {
    const host = cursorHandingOn()?.host;
    if (host instanceof StreamReader && host !== this) host.disown(name);
  }

  /**
   * Whether what arrives now is of the past of a channel, and was read for another response than this
   * reader's: a stream that several share may have begun where one of them was.
   */
  get isForAnother(): boolean {
    const cursor = cursorHandingOn();
    const client = cursor?.host instanceof StreamReader ? cursor.host.client : undefined;
    return cursor !== undefined && client !== undefined && client.reader !== this && !cursor.isLive;
  }

  /** Whether it is handing on an event at this moment, as its client can take it. */
  get isPaced(): boolean {
    const cursor = cursorHandingOn();
    return cursor?.host === this && !cursor.isUnpaced;
  }

  /** The client can take more. */
  resume(): void {
    for (const { cursor } of this.position.tracks) cursor.advance();
  }

  batch(batch: Batch): void {
    this.owner.batch(batch);
  }

  gap(cursor: Cursor, gap: Gap): void {
    this.position.of(cursor.channel.name)?.gapTold();
    this.owner.gap(cursor, gap);
  }

  snapshotsOf({ channel }: Cursor): ChannelSnapshots | undefined {
    const isElsewhere = this.owner === PLAIN || this.position.of(channel.name)?.isForeign;
    return isElsewhere ? undefined : this.channels.snapshots.of(channel);
  }

  snapshot(cursor: Cursor, snapshot: Snapshot): void {
    this.position.of(cursor.channel.name)?.sent();
    this.owner.batch(snapshot.batch(this.position.id(), cursor.position));
  }

  failed(cursor: Cursor, error: unknown): void {
    if (cursor.isEnded) return;
    this.leave(cursor);
    cursor.fail(error);
  }

  /** Its channel can be given back; that the client has all of it stays in the ids. */
  ended(cursor: Cursor): void {
    if (cursor.isAtEnd) this.#completed++;
    const track = this.position.of(cursor.channel.name);
    if (track?.cursor === cursor) this.#unsubscribed(track);
    this.channels.leave(cursor);
  }

  disconnect(): void {
    this.owner.disconnect();
  }

  run(cursor: Cursor, task: () => void): void {
    this.owner.run(() => {
      handOn(cursor, task);
    });
  }

  #subscribed(track: Track): void {
    if (track.isLeft || track.cursor.isEnded) return;
    track.isTold = true;
    this.owner.subscribed(track.cursor.channel.name);
  }

  #unsubscribed(track: Track): void {
    if (!track.isTold) return;
    track.isTold = false;
    this.owner.unsubscribed(track.cursor.channel.name);
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
    const fresh = this.position.tracks.filter(({ cursor }) => !cursor.started);
    const requested = fresh.map((track) => this.#requestedOf(track));
    if (this.#refreshes(fresh, requested) || this.#prepares(fresh, requested)) return;
    fresh.forEach((track, i) => {
      track.cursor.start(requested[i] as Requested);
      track.started();
    });
    this.owner.located();
    for (const { cursor } of fresh) cursor.tellMissed();
    for (const { cursor } of fresh) cursor.advance();
    for (const track of fresh) this.#subscribed(track);
    this.owner.begun(this.#isPrompt);
    this.#isPrompt = true;
  }

  /** A client that another process has served may know more of a log than has come here: that is to be seen to first. */
  #refreshes(fresh: readonly Track[], requested: readonly Requested[]): boolean {
    fresh.forEach((track, i) => {
      const { channel } = track.cursor;
      if (track.isRefreshed || !channel.hasHistory || !mayBeBehind(channel.log, requested[i] as Requested))
        return;
      track.isRefreshed = true;
      const refreshed = channel.refresh();
      if (!refreshed) return;
      this.#waiting++;
      this.#isPrompt = false;
      const goOn = (): void => {
        this.#opened();
      };
      refreshed.then(goOn, goOn);
    });
    return this.#waiting > 0;
  }

  /** A client that needs the state of a channel waits for it: what fails until then is the request's error. */
  #prepares(fresh: readonly Track[], requested: readonly Requested[]): boolean {
    fresh.forEach(({ cursor }, i) => {
      const prepared = cursor.prepare(requested[i] as Requested);
      if (!prepared) return;
      this.#isPrompt = false;
      this.#awaits(cursor, prepared);
    });
    return this.#waiting > 0;
  }

  /** What the client has asked of a channel, among those that it asked for at once. */
  #requestedOf({ cursor }: Track): Requested {
    const { lastEventId } = cursor;
    if (lastEventId.kind === 'none') return lastEventId;
    const isAmong = ({ cursor: other }: Track): boolean => other.started || other.lastEventId === lastEventId;
    const epochs = new Map(
      this.position.tracks
        .filter(isAmong)
        .map(({ cursor: { channel } }) => [channel.name, channel.log.epoch]),
    );
    return positionsFor(lastEventId, epochs).get(cursor.channel.name) ?? { kind: 'none' };
  }
}

/** Whether a position, if it is one, is in no part of a log that was here. */
function mayBeBehind(log: LogBounds, requested: Requested): boolean {
  if (requested.kind !== 'position') return false;
  const reason = gapReason(requested.position, log);
  return reason === 'epoch' || reason === 'ahead';
}

function tooMany(what: string): SseError {
  return new SseError(
    'TOO_MANY_CHANNELS',
    `One response takes ${what}. Stream fewer, or open a second connection.`,
  );
}
