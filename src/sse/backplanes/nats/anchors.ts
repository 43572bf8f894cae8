import { isSamePosition, type Position } from '../../protocol/position.js';
import type { KeptLog } from './channel-log.js';
import {
  beginAt,
  decodeMessage,
  encodeMessage,
  messageOf,
  newMessage,
  type StoredMessage,
} from './layout.js';
import type { NatsStore } from './nats-store.js';

/** A position is given out until so much of the time is over for which the stream keeps its anchor. */
const FRESH = 1 / 4;

/**
 * Positions of absent logs: a client that reads a channel before its first event comes back with one later, and is
 * to be told whether it has missed something.
 *
 * Such a position names an anchor: a message of the log stream that says nothing but that it is there. One that is
 * written before the channel is looked for lies before all that the channel is going to have. So the position stands
 * for the beginning of the channel's log as long as
 * - the stream has the anchor: its limits delete the oldest first, so they have deleted nothing after it;
 * - no other log of the channel was ended after it;
 * - the log has let go of nothing.
 *
 * An anchor is shared by all readers of all channels, and replaced once in a while: only reading writes nothing.
 */
export class Anchors {
  readonly #subject: string;
  #current: StoredMessage | undefined;

  constructor(private readonly store: NatsStore) {
    this.#subject = `${store.names.log}.anchor`;
  }

  /** To be read before a channel is looked for, and after the first {@link renew}. */
  get current(): StoredMessage {
    return this.#current as StoredMessage;
  }

  /** Finds an anchor that is fresh and lies after the end of a log, or writes one. */
  async renew(ended?: Position): Promise<void> {
    // Another instance may have written one.
    const newest = await this.store.log.newest(this.#subject);
    const found = newest && decodeMessage(newest);
    if (found && found.offset >= (ended?.offset ?? 0) && (await this.#isFresh(found))) {
      this.#current = found;
    } else {
      const made = newMessage('anchor', this.store.now());
      const { seq } = await this.store.log.publish(this.#subject, encodeMessage(made));
      this.#current = { ...made, offset: seq };
    }
  }

  /** The positions among some that stand for the beginning of a channel's log, with their anchors. */
  async valid(
    positions: readonly Position[],
    { state, log }: KeptLog,
  ): Promise<ReadonlyMap<Position, StoredMessage>> {
    const valid = new Map<Position, StoredMessage>();
    const ended = state.after?.offset ?? 1;
    const first = log ? (messageOf(log.floor)?.offset ?? 0) : Infinity;
    for (const position of positions) {
      const named = messageOf(position);
      if (!named || named.offset < ended || named.offset > first) continue;
      const anchor = await this.store.messageAt(named);
      if (anchor) valid.set(position, anchor);
    }
    return valid;
  }

  /**
   * The position of an absent log.
   *
   * @param ended the end of the channel's last log
   * @param valid positions that stand for the absence already: they are preferred while they are fresh
   * @param anchor the current one before the channel was looked for
   * @returns undefined if the anchor was of no use, and is another now
   */
  async positionOfAbsent(
    ended: Position | undefined,
    valid: ReadonlyMap<Position, StoredMessage>,
    anchor: StoredMessage,
  ): Promise<Position | undefined> {
    for (const [position, named] of valid) if (await this.#isFresh(named)) return position;
    const isAfter = (ended?.offset ?? 0) <= anchor.offset;
    if (isAfter && (await this.store.messageAt(anchor)) && (await this.#isFresh(anchor)))
      return beginAt(anchor);
    if (isSamePosition(anchor, this.#current)) await this.renew(ended);
    return undefined;
  }

  /** Whether the stream is going to keep an anchor for some time, as far as can be told. */
  async #isFresh({ offset, at }: StoredMessage): Promise<boolean> {
    const { maxAge, maxBytes } = this.store.settings;
    const { state } = await this.store.log.info();
    const bytesEach = state.bytes / Math.max(1, state.messages);
    const used = ((state.last_seq - offset) * bytesEach) / maxBytes;
    return used < FRESH && (this.store.now() - at) / maxAge < FRESH;
  }
}
