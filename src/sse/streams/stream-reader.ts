import {
  longestId,
  MAX_ID_BYTES,
  NO_POSITION,
  requestedIn,
  type IdForm,
  type LastEventId,
  type Requested,
} from '../protocol/position.js';
import { SseError } from '../sse.errors.js';
import type { Channel } from '../channels/channel.js';
import type { ChannelGate } from './channel-gate.js';
import type { StreamRequest } from './channel-stream.js';
import type { ClientPosition } from './client-position.js';
import { Cursor } from './cursor.js';
import type { CopiesAhead } from './event-copies.js';
import { FullIds } from './full-ids.js';
import type { Preface } from './preface.js';
import { DETACHED, type Sink } from './sink.js';
import type { Streams } from './streams.js';

/**
 * Reads the channels of one response, or of one subscription outside a response: a cursor for each channel, one position for the
 * client, one sink for the output.
 *
 * Cursors that enter while others wait start together, in `#start()`: there a reconnect can be read from top to
 * bottom. Where each begins and how it reads is in cursor.ts.
 */
export class StreamReader {
  /** Promises and decisions that the start waits for. */
  #awaited = 0;
  /**
   * `later` once the start has waited: for a channel to open, for a gate, or for what `prepare()` of a cursor needs. `now` in
   * `startAfter()`, as long as nothing has to be waited for.
   */
  #startsWhen: 'now' | 'at once' | 'later' = 'at once';
  #entered = 0;
  #completed = 0;
  /** See event-copies.ts; undefined where there is none, as nearly always. */
  copiesAhead: CopiesAhead | undefined;

  constructor(
    private readonly streams: Streams,
    /** The output; detached once the response is over. */
    public sink: Sink,
    /** The position of its client, as it came. */
    readonly position: ClientPosition = new FullIds(NO_POSITION),
  ) {}

  /** Whether the start waits for something, so that positions are not known. */
  get isStarting(): boolean {
    return this.#awaited > 0;
  }

  /** Whether any channel was entered. */
  get isUsed(): boolean {
    return this.#entered > 0;
  }

  /** Whether it has read channels, and every one of them to its end: nothing will ever come again. */
  get isExhausted(): boolean {
    return this.#completed > 0 && this.#entered === this.#completed;
  }

  /**
   * The cursor on a channel. One that is there already is shared: all that a response does with a channel happens
   * from one position.
   *
   * @param lastEventId the position to begin from, if this response has not been in the channel before
   * @throws SseError `TOO_MANY_CHANNELS`, `HUB_CLOSED`
   */
  enter(name: string, lastEventId: LastEventId, request: StreamRequest): Cursor {
    const known = this.position.of(name);
    if (known && !known.isEnded) return known;
    if (known) this.position.leave(known);
    const names = this.position.cursors.map(({ channel }) => channel.name);
    refuseTooMany([...names, name], this.position.form, this.streams.maxChannels[this.position.form]);
    const isAnew = request.begin === 'anew';
    const from = isAnew ? lastEventId : this.position.beginningIn(name, lastEventId);
    const cursor = this.streams.channels.enter(name, (channel) => new Cursor(channel, this, from, request));
    this.position.add(cursor);
    this.#entered++;
    if (!cursor.channel.isOpen) this.#startsWhen = 'later';
    // Otherwise another channel may be entered in this turn, and they start together.
    if (this.#startsWhen !== 'now') this.#await(cursor, cursor.channel.opened);
    return cursor;
  }

  /** Runs a task that enters all channels. They start at its end if nothing has to be waited for. */
  startAfter(task: () => void): void {
    this.#startsWhen = 'now';
    this.#awaited++;
    try {
      task();
    } finally {
      this.#awaited--;
      if (this.#startsWhen === 'now') {
        // Before the start: what enters meanwhile has to be waited for.
        this.#startsWhen = 'at once';
        if (this.isUsed) this.#start();
      }
    }
  }

  /**
   * Asks a gate for a channel. The start waits until it has decided.
   *
   * @param decided enters the channel, if it is granted
   * @returns false where nobody is asked
   */
  ask(gate: ChannelGate, channel: string, decided: (isGranted: boolean) => void): boolean {
    const isAsked = gate.ask(channel, this, (isGranted) => {
      try {
        decided(isGranted);
      } finally {
        this.#awaitedCame();
      }
    });
    if (!isAsked) return false;
    this.#awaited++;
    this.#startsWhen = 'later';
    return true;
  }

  /** The client can take more. */
  resume(): void {
    for (const cursor of this.position.cursors) cursor.advance();
  }

  /**
   * Takes a channel away from its client: its subscriptions complete.
   *
   * @returns whether it was streamed
   */
  withdraw(name: string): boolean {
    const cursor = this.position.of(name);
    if (!cursor || cursor.isEnded) return false;
    this.#unsubscribed(cursor);
    this.position.leave(cursor, 'unnamed');
    cursor.end();
    return true;
  }

  /** Nobody here wants a channel any more. */
  leave(cursor: Cursor): void {
    if (this.position.of(cursor.channel.name) !== cursor) return;
    // An operator may leave because of the event that it gets (`take(1)`): the event goes out before the channel leaves, so
    // that its id still names the channel.
    if (cursor.emitting) this.sink.eventEmitted();
    if (!cursor.isEnded) {
      this.#unsubscribed(cursor);
      cursor.stop();
      this.streams.channels.leave(cursor);
    }
    // A completed channel stays in the ids. Otherwise the client would get it again.
    if (!cursor.isAtEnd) this.position.leave(cursor);
  }

  /** The response is over. Channels that are still subscribed to, as they were shared, go on without it. */
  end(): void {
    for (const cursor of this.position.cursors) this.#unsubscribed(cursor);
    // Streams that were made for it may still be subscribed to, and the gate is asked for these, too.
    const { gate } = this.sink;
    this.sink = gate ? { ...DETACHED, gate } : DETACHED;
    for (const cursor of this.position.cursors) {
      if (cursor.isSubscribed) cursor.goOn('in the next turn');
      else this.leave(cursor);
    }
  }

  // ---- What its cursors tell it, and ask it for

  /** The client's position has moved without an event. */
  moved(when: 'urgent' | 'lazy'): void {
    this.position.hasMoved = true;
    this.sink.moved(when);
  }

  /** A preface of a channel; undefined where its client cannot be sent one. */
  preface(channel: Channel): Preface | undefined {
    return this.sink.takesPrefaces ? this.streams.prefaces.of(channel) : undefined;
  }

  failed(cursor: Cursor, error: unknown): void {
    if (cursor.isEnded) return;
    this.leave(cursor);
    cursor.fail(error);
  }

  /** A cursor has ended: its channel can be given back. */
  ended(cursor: Cursor): void {
    if (cursor.isAtEnd) this.#completed++;
    this.#unsubscribed(cursor);
    this.streams.channels.leave(cursor);
  }

  #unsubscribed(cursor: Cursor): void {
    if (!cursor.isAnnounced) return;
    cursor.isAnnounced = false;
    this.sink.unsubscribed(cursor.channel.name);
  }

  // ---- The start

  /** The start waits for a cursor. Where that fails, the cursor does not start at all. */
  #await(cursor: Cursor, ready: Promise<void>): void {
    this.#awaited++;
    ready.then(
      () => this.#awaitedCame(),
      (error: unknown) => {
        this.failed(cursor, error);
        this.#awaitedCame();
      },
    );
  }

  #awaitedCame(): void {
    if (--this.#awaited === 0) this.#start();
  }

  /**
   * Starts the cursors that have entered, when their channels are open and granted. It comes back to the beginning
   * after each wait: more cursors may have entered, and logs may have changed.
   */
  #start(): void {
    // The cursors that have not started, each with the position that the client asks for in its channel.
    const fresh = this.position.cursors
      .filter(({ started, isEnded }) => !started && !isEnded)
      .map((cursor) => [cursor, this.#requestedOf(cursor)] as const);
    for (const [cursor, requested] of fresh) {
      const prepared = cursor.prepare(requested);
      if (!prepared) continue;
      this.#startsWhen = 'later';
      this.#await(cursor, prepared);
    }
    if (this.isStarting) return;
    for (const [cursor, requested] of fresh) cursor.start(requested);
    this.sink.positionsKnown();
    for (const [cursor] of fresh) cursor.tellGapOwed();
    for (const [cursor] of fresh) cursor.advance();
    for (const [cursor] of fresh) {
      if (cursor.isEnded) continue;
      cursor.isAnnounced = true;
      this.sink.subscribed(cursor.channel.name);
    }
    this.sink.allStarted(this.#startsWhen === 'later' ? 'later' : 'at once');
    this.#startsWhen = 'at once';
  }

  /**
   * The position that the client sent for a channel. A bare id does not name its channel. It may belong to any
   * channel that has started, or that is entered with the same id (the same object).
   */
  #requestedOf({ channel: { name }, lastEventId = NO_POSITION, located }: Cursor): Requested {
    if (lastEventId.kind === 'none') return lastEventId;
    const candidates = this.position.cursors.filter(
      (other) => other.channel.isOpen && (other.started || other.lastEventId === lastEventId),
    );
    const byName = new Map(candidates.map(({ channel }) => [channel.name, channel]));
    const requested = requestedIn(name, lastEventId, byName);
    return located && requested.kind === 'position' ? { ...requested, position: located } : requested;
  }
}

/** Whether the full ids of these channels could be longer than an id may be. */
export const haveLongIds = (channels: readonly string[], form: IdForm): boolean =>
  form === 'full' && longestId(channels) > MAX_ID_BYTES;

/** @throws SseError `TOO_MANY_CHANNELS` for more channels than may be read together, and for ids that could be too long */
export function refuseTooMany(channels: readonly string[], form: IdForm, most: number): void {
  const isTooMany = channels.length > most;
  if (!isTooMany && !haveLongIds(channels, form)) return;
  const fault = isTooMany
    ? `At most limits.channelsPerConnection (${most}) channels can be read together, not ${channels.length}.`
    : `The names of these channels are too long together for an id of ${MAX_ID_BYTES} bytes.`;
  throw new SseError('TOO_MANY_CHANNELS', `${fault} Name fewer at a time.`);
}
