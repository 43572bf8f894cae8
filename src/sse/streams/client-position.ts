import {
  channelHash,
  formatId,
  formatVector,
  longestId,
  MAX_ID_BYTES,
  NO_POSITION,
  parseId,
  parseLastEventId,
  type EventId,
  type LastEventId,
  type Position,
} from '../protocol/position.js';
import { originOf } from '../log/published-event.js';
import type { Cursor } from './cursor.js';

/** An event's place in one of the channels that a response streams, or has streamed. */
export interface Place {
  readonly channel: string;
  readonly position: Position;
}

const NONE: readonly Cursor[] = [];

/** The position of a client in a channel that is not read: it came with it, or the channel was left. */
interface Kept {
  /** `NO_POSITION` for a channel without history. */
  readonly lastEventId: LastEventId;
  /** Whether the client's ids still name the channel. */
  readonly ids: 'named' | 'unnamed';
  /** In a channel that was left: the offset up to which events of it may still come out. */
  readonly read?: number;
}

/**
 * The positions of a client in the channels of its response, of which its ids are made.
 *
 * `takeId()` makes the id wherever one is written: for an event (http/outgoing.ts, after `give()`), a gap, a preface, the first
 * text, and at a heartbeat.
 *
 * A client keeps only its last id, so each id has the positions of all its channels: also of those that it came with
 * and that are not read yet, and of those that were left.
 */
export class ClientPosition {
  /**
   * Whether channels are joined to the response while it goes on. Then its ids say which: they name every
   * channel, also a single one, and those without history.
   */
  isJoinable = false;
  /** Whether it has moved since the client was last told. */
  hasMoved = false;
  /**
   * A response has few channels, most have one: an array is smaller than a map, and no slower. It is replaced and never
   * changed: that takes no spare memory, and loops over it stay safe.
   */
  #cursors: readonly Cursor[] = NONE;
  /** `as brought`: the id with which the client came still says everything. */
  #state: 'as brought' | 'moved on' = 'as brought';
  /** By channel, in the order in which they were left. */
  #kept: Map<string, Kept> | undefined;

  /** @param brought the last event ID that the client came with */
  constructor(readonly brought: LastEventId) {
    if (brought.kind !== 'named') return;
    const kept = (this.#kept = new Map<string, Kept>());
    for (const [channel, lastEventId = NO_POSITION] of brought.positions)
      kept.set(channel, { lastEventId, ids: 'named' });
  }

  get cursors(): readonly Cursor[] {
    return this.#cursors;
  }

  get names(): string[] {
    return this.#cursors.filter(({ isEnded }) => !isEnded).map(({ channel }) => channel.name);
  }

  /** Whether the response has ids of the hub. */
  get hasHubIds(): boolean {
    if (this.isJoinable || this.#cursors.some(({ channel }) => channel.hasHistory)) return true;
    for (const { lastEventId } of this.#kept?.values() ?? []) if (lastEventId.kind === 'bare') return true;
    return false;
  }

  /** Whether the ids name no other channel than this one. Asked before a channel is entered. */
  isAlone(channel: string): boolean {
    return [...(this.#kept ?? [])].every(([name, { ids }]) => name === channel || ids === 'unnamed');
  }

  of(channel: string): Cursor | undefined {
    for (const cursor of this.#cursors) if (cursor.channel.name === channel) return cursor;
    return undefined;
  }

  add(cursor: Cursor): void {
    this.#cursors = this.#cursors.concat(cursor);
  }

  /**
   * The position of its client in a channel that is entered.
   *
   * @param asked the position to take where none is kept
   */
  beginningIn(channel: string, asked: LastEventId): LastEventId {
    const kept = this.#kept?.get(channel);
    if (kept) return kept.lastEventId;
    // A named id was split into #kept at the start. A channel that is missing there was never in the id, or
    // was forgotten since: it has no position.
    return asked === this.brought && asked.kind === 'named' ? NO_POSITION : asked;
  }

  /**
   * A channel is not read any more. The position of its client is kept.
   *
   * @param ids `unnamed` for a channel that is taken away: the ids do not name it any more
   */
  leave(cursor: Cursor, ids: Kept['ids'] = 'named'): void {
    const { given, read, channel } = cursor;
    this.#state = 'moved on';
    this.#cursors = this.#cursors.filter((other) => other !== cursor);
    const kept: Kept | undefined =
      given && channel.hasHistory
        ? { lastEventId: parseLastEventId(channel.idOf(given)), ids: 'named', read: read.offset }
        : this.#kept?.get(channel.name);
    if (kept) this.#keep(channel.name, ids === 'unnamed' ? { ...kept, ids } : kept);
  }

  /** Sets where the client begins in a channel, if that is entered. Ids do not name the channel before. */
  beginAt(channel: string, lastEventId: LastEventId): void {
    this.#keep(channel, { lastEventId, ids: 'unnamed' });
  }

  /** Removes from the ids a channel that its client has left, also one that has ended. */
  forget(channel: string): void {
    this.#state = 'moved on';
    this.#cursors = this.#cursors.filter((cursor) => cursor.channel.name !== channel);
    if (this.#kept?.get(channel)?.ids === 'named') this.#kept.delete(channel);
  }

  /** The event at a place is sent to the client. */
  give({ channel, position }: Place): void {
    const cursor = this.of(channel);
    if (cursor) return cursor.delivered(position);
    const kept = this.#kept?.get(channel);
    if (kept?.read === undefined || kept.lastEventId.kind !== 'bare') return;
    const { hash, position: given } = kept.lastEventId;
    if (position.offset <= given.offset || position.offset > kept.read) return;
    this.#kept?.set(channel, { ...kept, lastEventId: parseLastEventId(formatId(position, hash)) });
  }

  /** The channel that was left longest ago makes room: an id takes only so much, and the client sends it back. */
  #keep(channel: string, kept: Kept): void {
    const all = (this.#kept ??= new Map());
    all.delete(channel);
    all.set(channel, kept);
    for (const oldest of all.keys()) {
      const names = new Set([...this.#cursors.map((cursor) => cursor.channel.name), ...all.keys()]);
      if (longestId([...names]) <= MAX_ID_BYTES || oldest === channel) return;
      all.delete(oldest);
    }
  }

  /**
   * The place of a value: for an event object of the hub its own. For a copy the one that its `id` names, in the channel
   * of its `channel` field or else in the one whose hash the id has.
   */
  placeOf(value: object): Place | undefined {
    const origin = originOf(value);
    if (origin) return this.#at(origin.channel, origin.entry);
    const carried = carriedBy(value);
    if (!carried) return undefined;
    const { position, hash, channel } = carried;
    const named = channel === undefined ? undefined : this.#at(channel, position);
    return named ?? this.#at(this.#channelOfHash(hash, position), position);
  }

  /** The channel whose hash an id has; of several the one that holds the event. */
  #channelOfHash(hash: string, position: Position): string | undefined {
    const alike = this.#cursors.filter((cursor) => cursor.started && cursor.channel.hash === hash);
    const cursor = alike.find(({ log }) => log.has(position)) ?? alike[0];
    if (cursor) return cursor.channel.name;
    for (const [name, { lastEventId, read }] of this.#kept ?? [])
      if (read !== undefined && lastEventId.kind === 'bare' && lastEventId.hash === hash) return name;
    return undefined;
  }

  #at(channel: string | undefined, position: Position): Place | undefined {
    if (channel === undefined) return undefined;
    const cursor = this.of(channel);
    const isPlace = cursor ? cursor.channel.hasHistory : this.#kept?.get(channel)?.read !== undefined;
    return isPlace ? { channel, position } : undefined;
  }

  /**
   * The id of the client's present position, for the caller to send; it counts as sent. Undefined where there is nothing
   * to send: no channel has a position, or the client has to keep its old id, because a new one would drop a position.
   */
  takeId(): string | undefined {
    this.hasMoved = false;
    const { isJoinable } = this;
    // A bare id names no channel, so it stands only for the single one that there is.
    const ids: [string, string | undefined][] = [];
    let needsNames = isJoinable;
    for (const cursor of this.#cursors) {
      const { given, channel } = cursor;
      const { name, hasHistory } = channel;
      if (!cursor.started || (hasHistory && !given && this.#kept?.has(name))) continue;
      // The client came with a bare id and was not told of the gap yet. It gets no id before that: its own cannot be part of
      // a vector, and a client that is cut off now has to come back with it.
      if (cursor.owesGap && hasHistory && this.brought.kind !== 'named') return undefined;
      cursor.positionSent();
      if (hasHistory && given) {
        this.#state = 'moved on';
        this.#kept?.delete(name);
        ids.push([name, channel.idOf(given)]);
      } else {
        needsNames ||= hasHistory;
        if (isJoinable) ids.push([name, undefined]);
      }
    }
    for (const [name, kept] of this.#kept ?? []) {
      if (kept.ids === 'unnamed') continue;
      needsNames ||= kept.read === undefined; // it came with the client, and is not read yet
      if (kept.lastEventId.kind === 'bare') ids.push([name, kept.lastEventId.text]);
      else if (isJoinable) ids.push([name, undefined]);
    }
    if (this.#state === 'as brought' && this.brought.kind !== 'none') return undefined;
    const [first] = ids;
    // An empty id says that the client has left every channel that it had.
    if (!first) return isJoinable ? '' : undefined;
    return ids.length === 1 && !needsNames ? first[1] : formatVector(ids);
  }
}

/** The place that a copy of an event names in its `id` and `channel`. */
function carriedBy(value: object): (EventId & { readonly channel: string | undefined }) | undefined {
  const { id, channel } = value as { readonly id?: unknown; readonly channel?: unknown };
  const carried = typeof id === 'string' ? parseId(id) : undefined;
  return carried && { ...carried, channel: typeof channel === 'string' ? channel : undefined };
}

/** Whether a value is an event of the hub, or a copy of one. */
export function isOfHub(value: object): boolean {
  if (originOf(value)) return true;
  const carried = carriedBy(value);
  return carried?.channel !== undefined && channelHash(carried.channel) === carried.hash;
}
