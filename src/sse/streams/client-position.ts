import {
  channelHash,
  formatId,
  formatVector,
  longestId,
  MAX_ID_BYTES,
  NO_POSITION,
  parseId,
  parseLastEventId,
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

/** What a client has of a channel that is not read: that it came with, or that was left. */
interface Kept {
  /** As its id says it; without history there is none. */
  readonly lastEventId: LastEventId;
  /** Whether its ids go on to say so. */
  readonly isTold: boolean;
  /** Of a channel that was left: what its client has, and up to where events of it may still come out. */
  readonly left: { readonly given: Position; readonly read: Position; readonly hash: string } | undefined;
}

/**
 * Where a client is in the channels of its response, of which its ids are made.
 *
 * An id takes the place of all that the client was sent before, so each says all that it has: also of channels that
 * it came with and that are not read yet, and of those that were left.
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
   * A response has few channels, most have one: an array is smaller than a map, and no slower. One that is
   * replaced has no room in reserve, and may be gone through while channels come and go.
   */
  #cursors: readonly Cursor[] = NONE;
  /** Whether its client has what it came with, and nothing else. */
  #isAsBrought = true;
  /** By channel, in the order in which they were left. */
  #kept: Map<string, Kept> | undefined;

  /** @param brought what the client came with */
  constructor(readonly brought: LastEventId) {
    if (brought.kind !== 'named') return;
    this.#kept = new Map();
    for (const [channel, id] of brought.positions)
      this.#kept.set(channel, { lastEventId: parseLastEventId(id?.text), isTold: true, left: undefined });
  }

  get size(): number {
    return this.#cursors.length;
  }

  get cursors(): readonly Cursor[] {
    return this.#cursors;
  }

  get names(): string[] {
    return this.#cursors.filter(({ isEnded }) => !isEnded).map(({ channel }) => channel.name);
  }

  /** Whether the response has ids of the hub. */
  get hasAny(): boolean {
    if (this.isJoinable || this.#cursors.some(({ channel }) => channel.hasHistory)) return true;
    for (const { lastEventId } of this.#kept?.values() ?? []) if (lastEventId.kind === 'bare') return true;
    return false;
  }

  /** Whether the ids name no other channel than this one. */
  isAlone(channel: string): boolean {
    for (const [name, { isTold }] of this.#kept ?? []) if (isTold && name !== channel) return false;
    return true;
  }

  of(channel: string): Cursor | undefined {
    for (const cursor of this.#cursors) if (cursor.channel.name === channel) return cursor;
    return undefined;
  }

  add(cursor: Cursor): void {
    this.#cursors = this.#cursors.concat(cursor);
  }

  /**
   * Where its client is in a channel that is entered, if that is known.
   *
   * @param asked what it says where it is not
   */
  in(channel: string, asked: LastEventId): LastEventId {
    const kept = this.#kept?.get(channel);
    if (kept) return kept.lastEventId;
    // What a client has come with counts once: what has happened since is kept, or is forgotten.
    return asked === this.brought && asked.kind === 'named' ? NO_POSITION : asked;
  }

  /** A channel is not read any more. What its client has of it is kept, and goes on to be told. */
  leave(cursor: Cursor): void {
    const { given, read, channel } = cursor;
    this.#isAsBrought = false;
    this.#cursors = this.#cursors.filter((other) => other !== cursor);
    if (!given || !cursor.channel.hasHistory) return;
    const lastEventId = parseLastEventId(channel.idOf(given));
    this.#keep(channel.name, { lastEventId, isTold: true, left: { given, read, hash: channel.hash } });
  }

  /** A channel is taken away from its client: its ids do not name it any more. */
  withdraw(cursor: Cursor): void {
    this.leave(cursor);
    const kept = this.#kept?.get(cursor.channel.name);
    if (kept) this.#keep(cursor.channel.name, { ...kept, isTold: false });
  }

  /** Where its client says that it is in a channel, should it be entered. */
  beginAt(channel: string, lastEventId: LastEventId): void {
    this.#keep(channel, { lastEventId, isTold: false, left: undefined });
  }

  /** A channel that is not read is not told any more: its client wants it no more. */
  forget(channel: string): void {
    this.#isAsBrought = false;
    this.#cursors = this.#cursors.filter((cursor) => cursor.channel.name !== channel);
    if (this.#kept?.get(channel)?.isTold) this.#kept.delete(channel);
  }

  /** The event at a place goes out to the client. */
  give({ channel, position }: Place): void {
    const cursor = this.of(channel);
    if (cursor) return cursor.give(position);
    const kept = this.#kept?.get(channel);
    const left = kept?.left;
    if (!left || position.offset <= left.given.offset || position.offset > left.read.offset) return;
    const { offset, mark } = position;
    const lastEventId = parseLastEventId(formatId(position, left.hash));
    this.#kept?.set(channel, { ...kept, lastEventId, left: { ...left, given: { offset, mark } } });
  }

  /** What was left longest ago makes room: an id takes only so much, and the client sends it back. */
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
   * The place that a value carries: that of the very event, or the one that its id names, in the channel that it
   * names or else the one whose hash the id has.
   */
  placeOf(value: object): Place | undefined {
    const origin = originOf(value);
    if (origin) return this.#at(origin.channel, origin.entry);
    const carried = carriedBy(value);
    if (!carried) return undefined;
    const { position, hash, channel } = carried;
    const named = channel === undefined ? undefined : this.#at(channel, position);
    return named ?? this.#at(this.#alike(hash, position), position);
  }

  /** The channel whose hash an id has; of several the one that holds the event. */
  #alike(hash: string, position: Position): string | undefined {
    const alike = this.#cursors.filter((cursor) => cursor.started && cursor.channel.hash === hash);
    const cursor = alike.find(({ log }) => log.has(position)) ?? alike[0];
    if (cursor) return cursor.channel.name;
    for (const [name, { left }] of this.#kept ?? []) if (left?.hash === hash) return name;
    return undefined;
  }

  #at(channel: string | undefined, position: Position): Place | undefined {
    if (channel === undefined) return undefined;
    const cursor = this.of(channel);
    const isPlace = cursor ? cursor.channel.hasHistory : this.#kept?.get(channel)?.left !== undefined;
    return isPlace ? { channel, position } : undefined;
  }

  /**
   * The id that names the client's present position, which is told to it then; undefined where no channel has
   * one, or where the id that it has says more.
   */
  tell(): string | undefined {
    this.hasMoved = false;
    const { isJoinable } = this;
    const ids: [string, string | undefined][] = [];
    let isPartial = isJoinable;
    for (const cursor of this.#cursors) {
      const { given, channel } = cursor;
      const { name } = channel;
      if (!cursor.started || (cursor.channel.hasHistory && given === undefined && this.#kept?.has(name)))
        continue;
      cursor.told();
      if (cursor.channel.hasHistory && given !== undefined) {
        this.#isAsBrought = false;
        this.#kept?.delete(name);
        ids.push([name, channel.idOf(given)]);
        continue;
      }
      if (cursor.channel.hasHistory) {
        // What it came with names this channel alone, perhaps, and has no place beside others.
        if (cursor.owesGap && this.brought.kind !== 'named') return undefined;
        isPartial = true;
      }
      if (isJoinable) ids.push([name, undefined]);
    }
    for (const [name, { lastEventId, isTold, left }] of this.#kept ?? []) {
      if (!isTold) continue;
      isPartial ||= !left;
      if (lastEventId.kind === 'bare') ids.push([name, lastEventId.text]);
      else if (isJoinable) ids.push([name, undefined]);
    }
    if (this.#isAsBrought && this.brought.kind !== 'none') return undefined;
    const [first] = ids;
    // An empty id says that the client has left every channel that it had.
    if (!first) return isJoinable ? '' : undefined;
    return ids.length === 1 && !isPartial ? first[1] : formatVector(ids);
  }
}

interface Carried {
  readonly position: Position;
  readonly hash: string;
  readonly channel: string | undefined;
}

/** What a copy of an event, which an operator or somebody else has made, says of where it is from. */
function carriedBy(value: object): Carried | undefined {
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
