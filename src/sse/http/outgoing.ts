import type { Place } from '../streams/client-position.js';
import { currentCursor } from '../streams/cursor.js';
import type { StreamReader } from '../streams/stream-reader.js';
import { originOf, type EventOrigin } from '../log/published-event.js';
import { sharedBody, type SharedText } from '../log/shared-text.js';
import { isObject, isThenable } from '../values.js';
import { idLine } from '../protocol/event-stream.js';
import { channelHash, isSamePosition, type LastEventId, type Position } from '../protocol/position.js';
import { checkEvent, plainEvent } from './plain-event.js';

/** Values of sources that cannot be paused which may wait for a Promise before them. */
const MAX_WAITING = 1_000;

/** A value on its way out. */
interface Item {
  readonly value: unknown;
  /** The event that it carries, or was made of, in a channel of the response. */
  readonly place: Place | undefined;
  /** Whether the client's position moves to that place with it. */
  moves: boolean;
  /** Whether it came without regard to what the client can take. */
  readonly isUnpaced: boolean;
}

/** What is asked of the connection. */
export interface OutgoingOwner {
  readonly exchange: { readonly path: string };
  /** @param id the line of its id, or nothing */
  write(id: string, body: string | SharedText, isUnpaced: boolean): void;
  /** A value could not be written, or a Promise was rejected. */
  error(error: unknown): void;
  /** No Promise is waited for any more. */
  settled(): void;
  /** Events of a channel come by a stream that is not this response's own. */
  shares(channel: string): void;
  /** More waits for a Promise than may. */
  overflowed(waiting: number): void;
}

/**
 * Makes text of what an Observable emits, and moves the client's position with it.
 *
 * A value takes the place of the event that it carries, the very event or its id, otherwise of the one that is
 * being handed on when it comes. Of several that are made of one event while that is handed on, the last alone
 * moves the position: a client that is cut off in between gets all of them again. A Promise is awaited, and what
 * comes after it waits; its place is that of the moment in which it was emitted.
 */
export class Outgoing {
  /** What came while an event of this response is handed on. */
  #made: Item[] = [];
  /** A Promise, and what came after it. */
  #waiting: Item[] = [];
  #number = 0;
  #isClosed = false;

  constructor(
    private readonly owner: OutgoingOwner,
    private readonly reader: StreamReader,
    private readonly lastEventId: LastEventId,
    private readonly numbered: boolean,
  ) {}

  /** Whether a Promise is awaited. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  add(value: unknown): void {
    const { reader } = this;
    if (reader.isForAnother) return;
    const cursor = currentCursor();
    const own = cursor?.reader === reader ? cursor : undefined;
    const handing = own?.hasPosition ? own.handing : undefined;
    const carried = isObject(value) ? reader.position.placeOf(value) : undefined;
    const place = carried ?? (own && handing && { channel: own.channel.name, position: handing });
    this.#made.push({ value, place, moves: place !== undefined, isUnpaced: !own || own.isUnpaced });
    if (!handing) this.handedOn();
  }

  /** The event is out, as far as it comes out at once. */
  handedOn(): void {
    const made = this.#made;
    if (made.length === 0) return;
    this.#made = [];
    for (const [i, item] of made.entries()) {
      const { place } = item;
      const isLater = (later: Item): boolean => isSame(place, later.place) && isDispatched(later.value);
      if (place && made.slice(i + 1).some(isLater)) item.moves = false;
      this.#send(item);
    }
  }

  /** What waits is written to nobody. */
  close(): void {
    this.#isClosed = true;
    this.#made = [];
    this.#waiting = [];
  }

  #send(item: Item): void {
    if (this.#isClosed) return;
    if (this.#waiting.length > 0) {
      this.#waiting.push(item);
      if (item.isUnpaced && this.#waiting.length > MAX_WAITING) this.owner.overflowed(this.#waiting.length);
    } else if (isThenable(item.value)) {
      this.#waiting.push(item);
      void this.#awaitAll();
    } else {
      this.#write(item, item.value);
    }
  }

  async #awaitAll(): Promise<void> {
    for (let item = this.#waiting[0]; item; item = this.#waiting[0]) {
      try {
        const value: unknown = isThenable(item.value) ? await item.value : item.value;
        if (this.#isClosed) return;
        this.#write(item, value);
      } catch (error) {
        if (this.#isClosed) return;
        this.#waiting = [];
        this.owner.error(error);
        return;
      }
      this.#waiting.shift();
    }
    this.owner.settled();
  }

  #write({ place, moves, isUnpaced }: Item, value: unknown): void {
    const { reader } = this;
    const origin = isObject(value) ? originOf(value) : undefined;
    if (origin && !place && !reader.position.of(origin.channel)) {
      if (reader.disownOther(origin.channel)) this.owner.shares(origin.channel);
      if (this.#hasSeen(origin)) return;
    }
    // Nest's own routes are as Nest has them.
    if (!origin && !this.numbered) checkEvent(value, this.owner.exchange.path);
    const made = origin ? undefined : plainEvent(value);
    const body = made?.body ?? sharedBody((origin as EventOrigin).entry.event);
    if (place) {
      if (moves) reader.position.give(place);
      const told = moves ? reader.position.tell() : undefined;
      if (moves && !isDispatched(value)) reader.position.hasMoved = true;
      return this.owner.write(told === undefined ? '' : idLine(told), body, isUnpaced);
    }
    const id = made ? made.id : (value as { readonly id?: string }).id;
    const isNumbered = id === undefined && this.numbered && !reader.isUsed && made?.isComment === false;
    // An id that is not the hub's would take the place of the client's positions, so it goes where there are none.
    const ownId = reader.position.hasAny ? undefined : isNumbered ? String(++this.#number) : id;
    this.owner.write(ownId === undefined ? '' : idLine(ownId), body, isUnpaced);
  }

  /** A plain source does not begin where this client is: what the client has is passed over. */
  #hasSeen({ channel, entry, log }: EventOrigin): boolean {
    const seen = positionIn(this.lastEventId, channel);
    return seen !== undefined && entry.offset <= seen.offset && log.has(seen);
  }
}

const isSame = (one: Place | undefined, other: Place | undefined): boolean =>
  one !== undefined && one.channel === other?.channel && isSamePosition(one.position, other.position);

/** Whether a client dispatches an event for a value: it has data. Several engines store the id of no other block. */
function isDispatched(value: unknown): boolean {
  if (!isObject(value)) return value !== undefined && value !== null;
  const origin = originOf(value);
  if (origin) return origin.entry.event.data !== undefined;
  const { data } = value as { readonly data?: unknown };
  return isThenable(value) || (data !== undefined && data !== null);
}

/** Where a client says that it is in a channel. */
function positionIn(lastEventId: LastEventId, channel: string): Position | undefined {
  if (lastEventId.kind === 'named') return lastEventId.positions.get(channel)?.position;
  const isOfChannel = lastEventId.kind === 'bare' && lastEventId.hash === channelHash(channel);
  return isOfChannel ? lastEventId.position : undefined;
}
