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
 * Such a position names an anchor: a message of the log stream without content. One that was written before the
 * channel is looked for lies before all that the channel is going to have. So the position stands
 * for the beginning of the channel's log as long as
 * - the stream has the anchor: its limits delete the oldest first, so they have deleted nothing after it;
 * - no other log of the channel was ended after it;
 * - the log has let go of nothing.
 *
 * An anchor is shared by all readers of all channels, and replaced once in a while: only reading writes nothing.
 */
export class Anchors {
  private constructor(
    private readonly store: NatsStore,
    /** To be read before a channel is looked for. */
    public current: StoredMessage,
  ) {}

  static async open(store: NatsStore): Promise<Anchors> {
    return new Anchors(store, await anchorAfter(store));
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
      const anchor = await messageAt(this.store, named);
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
    const { store } = this;
    for (const [position, named] of valid) if (await isFresh(store, named)) return position;
    const isAfter = (ended?.offset ?? 0) <= anchor.offset;
    if (isAfter && (await messageAt(store, anchor)) && (await isFresh(store, anchor))) return beginAt(anchor);
    if (isSamePosition(anchor, this.current)) this.current = await anchorAfter(store, ended);
    return undefined;
  }
}

/** An anchor that is fresh and lies after the end of a log: one of another instance, or else a new one. */
async function anchorAfter(store: NatsStore, ended?: Position): Promise<StoredMessage> {
  const subject = `${store.names.log}.anchor`;
  const newest = await store.log.newest(subject);
  const found = newest && decodeMessage(newest);
  if (found && found.offset >= (ended?.offset ?? 0) && (await isFresh(store, found))) return found;
  const made = newMessage('anchor', store.now());
  const { seq } = await store.log.publish(subject, encodeMessage(made));
  return { ...made, offset: seq };
}

/** The message at a position; undefined if there is none, or another. */
async function messageAt(store: NatsStore, { offset, mark }: Position): Promise<StoredMessage | undefined> {
  const stored = await store.log.message(offset);
  const message = stored && decodeMessage(stored);
  return message?.mark === mark ? message : undefined;
}

/** Whether the stream is going to keep an anchor for some time, as far as can be told. */
async function isFresh(store: NatsStore, { offset, at }: StoredMessage): Promise<boolean> {
  const { maxAge, maxBytes } = store.settings;
  const { state } = await store.log.info();
  const bytesEach = state.bytes / Math.max(1, state.messages);
  const used = ((state.last_seq - offset) * bytesEach) / maxBytes;
  return used < FRESH && (store.now() - at) / maxAge < FRESH;
}
