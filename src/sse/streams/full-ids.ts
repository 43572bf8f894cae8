import {
  formatVector,
  isSamePosition,
  longestId,
  MAX_ID_BYTES,
  MOST_NAMED,
  type LastEventId,
  type Position,
} from '../protocol/position.js';
import type { Channel } from '../channels/channel.js';
import { ClientPosition, type Kept, type Place } from './client-position.js';
import type { Cursor } from './cursor.js';

/** An id, and the positions that it was made of. It lives as long as the event: a channel may be over before. */
interface MadeId {
  readonly places: readonly { readonly channel: string; readonly position: Position | undefined }[];
  readonly id: string | undefined;
}

/** By the position of the event that it was last made for: the next client is mostly at the same positions. */
const madeIds = new WeakMap<Position, MadeId>();

/**
 * Ids for a client that keeps only its last one, as an EventSource does: each has the positions of all its channels, also of
 * those that it came with and that are not read yet, and of those that were left. Where channels are joined, each names every channel,
 * also a single one, and those without history.
 */
export class FullIds extends ClientPosition {
  /** `as brought`: the id with which the client came still says everything. */
  #state: 'as brought' | 'moved on' = 'as brought';

  /** Further names are of channels that were left, or the id is not of ours: it would be a burden to each event. */
  constructor(brought: LastEventId) {
    super(brought, MOST_NAMED);
  }

  get form(): 'full' {
    return 'full';
  }

  get hasHubIds(): boolean {
    if (this.channels === 'joined' || this.cursors.some(({ channel }) => channel.hasHistory)) return true;
    for (const { lastEventId } of this.kept?.values() ?? []) if (lastEventId.kind === 'bare') return true;
    return false;
  }

  hasBareIds(channel: string): boolean {
    return [...(this.kept ?? [])].every(([name, { ids }]) => name === channel || ids === 'unnamed');
  }

  gives(channel: Channel): boolean {
    return channel.hasHistory;
  }

  override leave(cursor: Cursor, ids?: Kept['ids']): void {
    this.#state = 'moved on';
    super.leave(cursor, ids);
  }

  override forget(channel: string): void {
    this.#state = 'moved on';
    super.forget(channel);
  }

  idOf(place: Place, which: 'earlier' | 'last'): string | undefined {
    if (which === 'earlier') return undefined;
    this.give(place);
    return this.#hasOnlyItsCursors ? this.#sharedId(place.position) : this.takeId();
  }

  /** Whether its ids are made of the positions of its cursors alone, each of which has one. */
  get #hasOnlyItsCursors(): boolean {
    if (this.channels === 'joined' || (this.kept && this.kept.size > 0)) return false;
    for (const { given } of this.cursors) if (!given) return false;
    return true;
  }

  /** The id after an event. */
  #sharedId(event: Position): string | undefined {
    const made = madeIds.get(event);
    if (!made || !this.#isAt(made.places)) {
      const id = this.takeId();
      const places = this.cursors.map(({ channel, given }) => ({ channel: channel.name, position: given }));
      madeIds.set(event, { places, id });
      return id;
    }
    this.hasMoved = false;
    this.#state = 'moved on';
    for (const cursor of this.cursors) cursor.positionSent();
    return made.id;
  }

  #isAt(places: MadeId['places']): boolean {
    const { cursors } = this;
    return (
      places.length === cursors.length &&
      places.every(({ channel, position }, i) => {
        const cursor = cursors[i] as Cursor;
        return cursor.channel.name === channel && isSamePosition(cursor.given, position);
      })
    );
  }

  idAt(): string | undefined {
    return this.takeId();
  }

  /**
   * The id of the client's present position. Undefined where no channel has a position, or the client has to keep its old id,
   * because a new one would drop a position.
   */
  takeId(): string | undefined {
    this.hasMoved = false;
    const areJoined = this.channels === 'joined';
    // A bare id names no channel, so it stands only for the single one that there is.
    const ids: [string, string | undefined][] = [];
    let needsNames = areJoined;
    for (const cursor of this.cursors) {
      const { given, channel } = cursor;
      const { name, hasHistory } = channel;
      if (!cursor.started || (hasHistory && !given && this.kept?.has(name))) continue;
      // The client came with a bare id and was not told of the gap yet. It gets no id before that: its own cannot be part of
      // a vector, and a client that is cut off now has to come back with it.
      if (cursor.owesGap && hasHistory && this.brought.kind !== 'named') return undefined;
      cursor.positionSent();
      if (hasHistory && given) {
        this.#state = 'moved on';
        this.kept?.delete(name);
        ids.push([name, channel.idOf(given)]);
      } else {
        needsNames ||= hasHistory;
        if (areJoined) ids.push([name, undefined]);
      }
    }
    for (const [name, kept] of this.kept ?? []) {
      if (kept.ids === 'unnamed') continue;
      needsNames ||= kept.read === undefined; // it came with the client, and is not read yet
      if (kept.lastEventId.kind === 'bare') ids.push([name, kept.lastEventId.text]);
      else if (areJoined) ids.push([name, undefined]);
    }
    if (this.#state === 'as brought' && this.brought.kind !== 'none') return undefined;
    const [first] = ids;
    // An empty id says that the client has left every channel that it had.
    if (!first) return areJoined ? '' : undefined;
    return ids.length === 1 && !needsNames ? first[1] : formatVector(ids);
  }

  /** The channel that was left longest ago makes room: an id takes only so much, and the client sends it back. */
  protected makeRoom(kept: Map<string, Kept>, newest: string): void {
    const names = new Set([...this.cursors.map((cursor) => cursor.channel.name), ...kept.keys()]);
    let length = longestId([...names]);
    for (const oldest of kept.keys()) {
      if (length <= MAX_ID_BYTES || oldest === newest) return;
      kept.delete(oldest);
      if (!this.of(oldest)) length -= longestId([oldest]);
    }
  }
}
