import { channelHash, formatVector, parseId, type Position } from '../../protocol/position.js';
import { originOf } from '../published-event.js';
import type { Cursor } from './cursor.js';

/** An event's place in one of the channels that a response streams. */
export interface Place {
  readonly cursor: Cursor;
  readonly position: Position;
}

const NONE: readonly Cursor[] = [];

/** Where a client is in the channels of its response, of which its ids are made. */
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
    return this.isJoinable || this.#cursors.some(({ hasPosition }) => hasPosition);
  }

  of(channel: string): Cursor | undefined {
    for (const cursor of this.#cursors) if (cursor.channel.name === channel) return cursor;
    return undefined;
  }

  add(cursor: Cursor): void {
    this.#cursors = this.#cursors.concat(cursor);
  }

  delete(cursor: Cursor): void {
    this.#cursors = this.#cursors.filter((other) => other !== cursor);
  }

  /**
   * The place that a value carries: that of the very event, or the one that its id names, in the channel that it
   * names or else the one whose hash the id has.
   */
  placeOf(value: object): Place | undefined {
    const origin = originOf(value);
    if (origin) return this.#at(this.of(origin.channel), origin.entry);
    const carried = carriedBy(value);
    if (!carried) return undefined;
    const { position, hash, channel } = carried;
    const named = channel === undefined ? undefined : this.of(channel);
    if (named) return this.#at(named, position);
    const alike = this.#cursors.filter((cursor) => cursor.started && cursor.channel.hash === hash);
    return this.#at(alike.find(({ log }) => log.has(position)) ?? alike[0], position);
  }

  #at(cursor: Cursor | undefined, position: Position): Place | undefined {
    return cursor?.hasPosition ? { cursor, position } : undefined;
  }

  /**
   * The id that names the client's present position, which is told to it then; undefined where no channel has
   * one, or a gap is to be told first. A channel whose state the client waits for is left out: who comes back
   * without a position there gets a snapshot.
   */
  tell(): string | undefined {
    this.hasMoved = false;
    const { isJoinable } = this;
    const ids: [string, string | undefined][] = [];
    let isPartial = isJoinable;
    for (const cursor of this.#cursors) {
      const { given, channel } = cursor;
      if (!cursor.started) continue;
      cursor.told();
      if (cursor.hasPosition && given !== undefined) {
        ids.push([channel.name, channel.idOf(given)]);
        continue;
      }
      if (cursor.hasPosition) {
        if (cursor.owesGap) return undefined;
        isPartial = true;
      }
      if (isJoinable) ids.push([channel.name, undefined]);
    }
    const [first] = ids;
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
