import {
  channelHash,
  formatId,
  NO_POSITION,
  parseId,
  parseLastEventId,
  type EventId,
  type IdForm,
  type LastEventId,
  type Position,
} from '../protocol/position.js';
import { originOf } from '../log/published-event.js';
import type { Channel } from '../channels/channel.js';
import type { Cursor } from './cursor.js';

/** An event's place in one of the channels that a response streams, or has streamed. */
export interface Place {
  readonly channel: string;
  readonly position: Position;
}

const NONE: readonly Cursor[] = [];

/** Channels from which on one is found in an index, and not by looking at each. */
const MANY = 8;

/** The position of a client in a channel that is not read: it came with it, or the channel was left. */
export interface Kept {
  /** `NO_POSITION` for a channel without history. */
  readonly lastEventId: LastEventId;
  /** Whether full ids still name the channel. */
  readonly ids: 'named' | 'unnamed';
  /** In a channel that was left: the offset up to which events of it may still come out. */
  readonly read?: number;
}

/**
 * The positions of a client in the channels of its response. What its ids say of them is decided by the two forms of it:
 *
 * - `FullIds` (full-ids.ts): each id has all positions, for a client that keeps only its last id.
 * - `OwnIds` (own-ids.ts): each id has the position in one channel, for a client that keeps one for each.
 *
 * An id is made wherever one is written: `idOf()` for an event (http/outgoing.ts), `idAt()` for a gap or a preface,
 * `takeId()` for the first text, and at a heartbeat.
 */
export abstract class ClientPosition {
  /** Whether it has moved since the client was last told. */
  hasMoved = false;
  /**
   * `joined`: by the client while the response goes on, so its ids have to say which. Set before any is entered. Such channels
   * are streamed whole.
   */
  channels: 'fixed' | 'joined' = 'fixed';
  /** By channel, in the order in which they were left. */
  protected kept: Map<string, Kept> | undefined;
  /**
   * Most responses have one channel: an array is smaller than a map, and no slower. It is replaced and never
   * changed: that takes no spare memory, and loops over it stay safe.
   */
  #cursors: readonly Cursor[] = NONE;
  /** The same by channel, where there are many; made when one is looked for. */
  #index: Map<string, Cursor> | undefined;
  #brought: LastEventId;

  /**
   * @param brought the last event ID that the client came with
   * @param mostNamed the most channels of it that ids go on to name
   */
  constructor(brought: LastEventId, mostNamed = Number.POSITIVE_INFINITY) {
    this.#brought = brought;
    if (brought.kind !== 'named') return;
    const kept = (this.kept = new Map<string, Kept>());
    for (const [channel, lastEventId = NO_POSITION] of brought.positions)
      kept.set(channel, { lastEventId, ids: kept.size < mostNamed ? 'named' : 'unnamed' });
  }

  abstract readonly form: IdForm;

  /** Whether the response has ids of the hub. */
  abstract get hasHubIds(): boolean;

  /** Whether every id will be the bare id of this channel. Asked before it is entered. */
  abstract hasBareIds(channel: string): boolean;

  /** Whether events of a channel have ids of the hub. */
  abstract gives(channel: Channel): boolean;

  /**
   * The id of what is made of an event, which goes out now.
   *
   * @param which the client's position moves with the `last` of several values that are made of one event
   */
  abstract idOf(place: Place, which: 'earlier' | 'last'): string | undefined;

  /** The id of a gap or a preface, which goes out now. */
  abstract idAt(cursor: Cursor): string | undefined;

  /**
   * The id that tells the client what it was not told yet, for the caller to send; it counts as sent. Undefined where there
   * is nothing to send.
   */
  abstract takeId(): string | undefined;

  /** Some of what is kept makes room, if it is too much. @param newest the channel that was kept last */
  protected abstract makeRoom(kept: Map<string, Kept>, newest: string): void;

  /** The last event ID that the client came with. */
  get brought(): LastEventId {
    return this.#brought;
  }

  /** The client came with these positions, and not with its last event ID. Called before any channel is entered. */
  bring(positions: ReadonlyMap<string, LastEventId>): void {
    const read = [...positions].map(
      ([channel, id]) => [channel, id.kind === 'bare' ? id : undefined] as const,
    );
    this.#brought =
      positions.size === 0 ? NO_POSITION : { kind: 'named', text: '', positions: new Map(read) };
    this.kept = new Map(
      [...positions].map(([channel, lastEventId]) => [channel, { lastEventId, ids: 'named' }]),
    );
  }

  get cursors(): readonly Cursor[] {
    return this.#cursors;
  }

  get names(): string[] {
    return this.#cursors.filter(({ isEnded }) => !isEnded).map(({ channel }) => channel.name);
  }

  of(channel: string): Cursor | undefined {
    if (this.#cursors.length > MANY) {
      this.#index ??= new Map(this.#cursors.map((cursor) => [cursor.channel.name, cursor]));
      return this.#index.get(channel);
    }
    for (const cursor of this.#cursors) if (cursor.channel.name === channel) return cursor;
    return undefined;
  }

  add(cursor: Cursor): void {
    this.#cursors = this.#cursors.concat(cursor);
    this.#index?.set(cursor.channel.name, cursor);
  }

  #remove(channel: string): void {
    this.#cursors = this.#cursors.filter((cursor) => cursor.channel.name !== channel);
    this.#index?.delete(channel);
  }

  /**
   * The position of its client in a channel that is entered.
   *
   * @param asked the position to take where none is kept
   */
  beginningIn(channel: string, asked: LastEventId): LastEventId {
    const kept = this.kept?.get(channel);
    if (kept) return kept.lastEventId;
    // A named id was split at the start. A channel that is missing there was never in the id, or was forgotten
    // since: it has no position.
    return asked === this.brought && asked.kind === 'named' ? NO_POSITION : asked;
  }

  /**
   * A channel is not read any more. The position of its client is kept.
   *
   * @param ids `unnamed` for a channel that is taken away: the ids do not name it any more
   */
  leave(cursor: Cursor, ids: Kept['ids'] = 'named'): void {
    const { given, read, channel } = cursor;
    this.#remove(channel.name);
    const kept: Kept | undefined =
      given && channel.hasHistory
        ? { lastEventId: parseLastEventId(channel.idOf(given)), ids: 'named', read: read.offset }
        : this.kept?.get(channel.name);
    if (kept) this.#keep(channel.name, ids === 'unnamed' ? { ...kept, ids } : kept);
  }

  /** Sets where the client begins in a channel, if that is entered. Full ids do not name the channel before. */
  beginAt(channel: string, lastEventId: LastEventId): void {
    this.#keep(channel, { lastEventId, ids: 'unnamed' });
  }

  /** Removes from the ids a channel that its client has left, also one that has ended. */
  forget(channel: string): void {
    this.#remove(channel);
    if (this.kept?.get(channel)?.ids === 'named') this.kept.delete(channel);
  }

  /** The client may not have stored the last id that it was sent of a channel, so it is told again. */
  notStored(channel: string): void {
    this.of(channel)?.positionNotStored();
    this.hasMoved = true;
  }

  #keep(channel: string, kept: Kept): void {
    const all = (this.kept ??= new Map<string, Kept>());
    all.delete(channel);
    all.set(channel, kept);
    this.makeRoom(all, channel);
  }

  /** The event at a place is sent to the client. */
  protected give({ channel, position }: Place): void {
    const cursor = this.of(channel);
    if (cursor) return cursor.delivered(position);
    const kept = this.kept?.get(channel);
    if (kept?.read === undefined || kept.lastEventId.kind !== 'bare') return;
    const { hash, position: given } = kept.lastEventId;
    if (position.offset <= given.offset || position.offset > kept.read) return;
    this.kept?.set(channel, { ...kept, lastEventId: parseLastEventId(formatId(position, hash)) });
  }

  /**
   * The place of a value: for an event object of the hub its own. For a copy the one that its `id` names, in the channel
   * of its `channel` field or else in the one whose hash the id has.
   *
   * @param origin the event that the value is itself
   */
  placeOf(value: object, origin = originOf(value)): Place | undefined {
    if (origin) return this.#isIn(origin.channel) ? origin : undefined;
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
    for (const [name, { lastEventId, read }] of this.kept ?? [])
      if (read !== undefined && lastEventId.kind === 'bare' && lastEventId.hash === hash) return name;
    return undefined;
  }

  #at(channel: string | undefined, position: Position): Place | undefined {
    return channel !== undefined && this.#isIn(channel) ? { channel, position } : undefined;
  }

  /** Whether events of a channel have places here. */
  #isIn(channel: string): boolean {
    const cursor = this.of(channel);
    return cursor ? this.gives(cursor.channel) : this.kept?.get(channel)?.read !== undefined;
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
