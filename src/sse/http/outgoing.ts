import { originOf, type PublishedEvent } from '../log/published-event.js';
import { channelHash, isSamePosition, type LastEventId, type Position } from '../protocol/position.js';
import type { Place } from '../streams/client-position.js';
import type { Cursor } from '../streams/cursor.js';
import { isObject, isThenable } from '../values.js';
import type { Outbox } from './outbox.js';
import { checkEvent, foreignEvent } from './event-body.js';
import type { SseConnection } from './sse-connection.js';

/** Values of unpaced sources that may wait behind a Promise. */
const MAX_WAITING = 1_000;

/** A value on its way out. */
interface Item {
  readonly value: unknown;
  /** The event that the value is itself. */
  readonly origin: PublishedEvent | undefined;
  /** The event that it carries, or was made of, in a channel of the response. */
  readonly place: Place | undefined;
  /** Whether the client's position moves to that place with it. */
  moves: boolean;
  readonly pace: Cursor['pace'];
}

/**
 * Makes text of what an Observable emits, and moves the client's position with it.
 *
 * A value has the position of the event that it carries, as itself or by its id, and otherwise of the event that is being
 * handed on when the value comes. Of several values that are made of one event only the last moves the client's
 * position, so a client that is cut off in between gets all of them again. A Promise is awaited, and values after it
 * wait; its position is that of the moment in which it was emitted.
 */
export class Outgoing {
  /** Values that came while an event of this response is handed on. */
  #made: Item[] = [];
  /** A Promise, and what came after it; undefined once nothing is written any more. */
  #waiting: Item[] | undefined = [];
  #number = 0;

  constructor(
    private readonly connection: Pick<
      SseConnection,
      'reader' | 'lastEventId' | 'settings' | 'exchange' | 'error' | 'drained' | 'overflowed'
    >,
    private readonly outbox: Outbox,
  ) {}

  /** Whether a Promise is awaited. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined && this.#waiting.length > 0;
  }

  /** @param from the cursor of this response that is handing on an event, if the value comes of one */
  add(value: unknown, from: Cursor | undefined): void {
    const { position } = this.connection.reader;
    const handing = from && position.gives(from.channel) ? from.emitting : undefined;
    const origin = isObject(value) ? originOf(value) : undefined;
    const carried = isObject(value) ? position.placeOf(value, origin) : undefined;
    const place = carried ?? handing;
    // Nothing but a stream of the hub, read at the client's pace, heeds what the client can take.
    this.#made.push({ value, origin, place, moves: place !== undefined, pace: from?.pace ?? 'unpaced' });
    if (!handing) this.eventEmitted();
  }

  /** All values have come that operators made of the event synchronously. */
  eventEmitted(): void {
    const made = this.#made;
    const [only] = made;
    if (!only) return;
    if (made.length === 1) {
      made.pop();
      return this.#send(only);
    }
    this.#made = [];
    for (const [i, item] of made.entries()) {
      const { place } = item;
      const replacesIt = (later: Item): boolean => isSame(place, later.place) && isDispatched(later.value);
      if (place && made.slice(i + 1).some(replacesIt)) item.moves = false;
      this.#send(item);
    }
  }

  /** Nothing is written any more: what waits is dropped. */
  close(): void {
    this.#made = [];
    this.#waiting = undefined;
  }

  #send(item: Item): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    if (waiting.length > 0) {
      waiting.push(item);
      if (item.pace === 'unpaced' && waiting.length > MAX_WAITING)
        this.connection.overflowed(
          `waits for a Promise that does not settle: ${waiting.length} values wait with it, more than ${MAX_WAITING}`,
        );
    } else if (!item.origin && isThenable(item.value)) {
      waiting.push(item);
      void this.#awaitAll(waiting);
    } else {
      this.#write(item, item.value, item.origin);
    }
  }

  async #awaitAll(waiting: Item[]): Promise<void> {
    try {
      for (let item = waiting[0]; item; item = waiting[0]) {
        const value: unknown = isThenable(item.value) ? await item.value : item.value;
        if (!this.#waiting) return;
        this.#write(item, value, isObject(value) ? originOf(value) : undefined);
        waiting.shift();
      }
    } catch (error) {
      if (!this.#waiting) return;
      this.#waiting = [];
      this.connection.error(error);
      return;
    }
    this.connection.drained();
  }

  /** @param origin the event that the value is itself */
  #write({ place, moves, pace }: Item, value: unknown, origin: PublishedEvent | undefined): void {
    const { position } = this.connection.reader;
    if (origin && !place && !position.of(origin.channel) && this.#hasSeen(origin)) return;
    // Stock routes are as Nest has them.
    const isStock = this.connection.settings.route === 'stock';
    if (!origin && !isStock) checkEvent(value, this.connection.exchange);
    const made = origin ? undefined : foreignEvent(value);
    const body = made?.body ?? (origin as PublishedEvent).body;
    if (place) {
      const id = position.idOf(place, moves ? 'last' : 'earlier');
      if (moves && !isDispatched(value)) position.notStored(place.channel);
      return this.outbox.add(body, id, pace);
    }
    const id = made ? made.id : (value as { readonly id?: string }).id;
    const isNumbered =
      isStock && id === undefined && !this.connection.reader.isUsed && made?.isComment === false;
    // An id that is not the hub's would replace the client's positions, so it is sent only where there are none.
    const ownId = position.hasHubIds ? undefined : isNumbered ? String(++this.#number) : id;
    this.outbox.add(body, ownId, pace);
  }

  /** A stream outside the response does not begin at this client's position: events that the client has are dropped. */
  #hasSeen({ channel, entry, log }: PublishedEvent): boolean {
    const seen = positionIn(this.connection.lastEventId, channel);
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

/** The position in a channel that a client came with. */
function positionIn(lastEventId: LastEventId, channel: string): Position | undefined {
  if (lastEventId.kind === 'named') return lastEventId.positions.get(channel)?.position;
  const isOfChannel = lastEventId.kind === 'bare' && lastEventId.hash === channelHash(channel);
  return isOfChannel ? lastEventId.position : undefined;
}
