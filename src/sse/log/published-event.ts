import type { SharedText } from '../protocol/event-stream.js';
import { formatId, type Position } from '../protocol/position.js';
import { isObject } from '../values.js';
import type { EventLog, LogEntry } from './event-log.js';
import type { Gap, SseEvent } from './sse-event.js';
import { sharedBody } from './stored-event.js';

// Only the event object itself has an origin. The fields of a copy may have been changed, so the bytes of the original
// may be wrong for it.
const origins = new WeakMap<object, PublishedEvent>();
const published = new WeakMap<LogEntry, PublishedEvent>();
/** Data that all subscribers share. */
const sharedData = new WeakSet();

/** An event of a log, and what those who hand it on share of it: a part is made when somebody first needs it. */
export class PublishedEvent {
  readonly position: Position;
  #event: SseEvent | undefined;
  #body: SharedText | undefined;

  /**
   * @param log that it was read from, or the part of it that was read
   * @param hash that of the channel's name; undefined where events have no ids of the hub
   */
  private constructor(
    readonly channel: string,
    readonly log: Pick<EventLog, 'has'>,
    readonly entry: LogEntry,
    private readonly hash: string | undefined,
  ) {
    this.position = { offset: entry.offset, mark: entry.mark };
  }

  /** The event of an entry: the same object for all who read it. The arguments are those of the constructor. */
  static of(
    channel: string,
    log: PublishedEvent['log'],
    entry: LogEntry,
    hash: string | undefined,
  ): PublishedEvent {
    let event = published.get(entry);
    if (!event) published.set(entry, (event = new PublishedEvent(channel, log, entry, hash)));
    return event;
  }

  /** The event as subscribers see it: one frozen object for all of them. */
  get event(): SseEvent {
    return (this.#event ??= this.#makeEvent());
  }

  /** Its bytes without an id. */
  get body(): SharedText {
    return (this.#body ??= sharedBody(this.entry.event));
  }

  #makeEvent(): SseEvent {
    const { channel, entry, hash } = this;
    const { type, id: ownId, retry, comment, data, json } = entry.event;
    const id = hash === undefined ? ownId : formatId(entry, hash);
    let parsed: unknown;
    let isParsed = !json;
    const event = Object.freeze({
      channel,
      ...(id !== undefined && { id }),
      ...(type !== undefined && { type }),
      // Own and enumerable, so that `{ ...event }` has it.
      get data(): unknown {
        if (!isParsed) {
          parsed = deepFreeze(JSON.parse(data as string));
          if (isObject(parsed)) sharedData.add(parsed);
          isParsed = true;
        }
        return json ? parsed : data;
      },
      ...(retry !== undefined && { retry }),
      ...(comment !== undefined && { comment }),
    }) as SseEvent;
    origins.set(event, this);
    return event;
  }
}

/** The event of an entry as subscribers see it. The arguments are those of {@link PublishedEvent}. */
export const publishedEvent = (...of: Parameters<typeof PublishedEvent.of>): SseEvent =>
  PublishedEvent.of(...of).event;

/** A gap as an event of a stream outside a response. */
export function gapEvent(gap: Gap, id: string | undefined): SseEvent {
  return Object.freeze({
    channel: gap.channel,
    ...(id !== undefined && { id }),
    type: 'gap',
    data: Object.freeze(gap),
  });
}

/** The event that a subscriber was given as this object, if it is one: a connection finds there its place and its bytes. */
export const originOf = (event: object): PublishedEvent | undefined => origins.get(event);

/** Whether a value is the data of an event, which nobody can change. */
export const isSharedData = (value: object): boolean => sharedData.has(value);

/** All subscribers share the data, so none may change it under the others. Data may be nested deeply: no recursion. */
function deepFreeze(data: unknown): unknown {
  const left: unknown[] = [data];
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (typeof value === 'object' && value !== null)
      for (const child of Object.values(Object.freeze(value))) left.push(child);
  }
  return data;
}
