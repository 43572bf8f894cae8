import { formatId } from '../protocol/position.js';
import type { EventLog, LogEntry } from './event-log.js';
import type { Gap, SseEvent } from './sse-event.js';

/** The origin of an event: a connection finds there the bytes that were made already. */
export interface EventOrigin {
  readonly channel: string;
  readonly entry: LogEntry;
  /** The log that it was read from, or the part of it that was read. */
  readonly log: Pick<EventLog, 'has'>;
}

// Only the event object itself has an origin. The fields of a copy may have been changed, so the bytes of the original
// may be wrong for it.
const origins = new WeakMap<object, EventOrigin>();
const events = new WeakMap<LogEntry, SseEvent>();

/**
 * The event as subscribers see it: one frozen object for all of them.
 *
 * @param hash that of the channel's name; undefined where events have no ids of the hub
 */
export function publishedEvent(
  channel: string,
  log: EventOrigin['log'],
  entry: LogEntry,
  hash: string | undefined,
): SseEvent {
  const known = events.get(entry);
  if (known) return known;
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
        isParsed = true;
      }
      return json ? parsed : data;
    },
    ...(retry !== undefined && { retry }),
    ...(comment !== undefined && { comment }),
  }) as SseEvent;
  events.set(entry, event);
  origins.set(event, { channel, entry, log });
  return event;
}

/** A gap as an event of a stream outside a response. */
export function gapEvent(gap: Gap, id: string | undefined): SseEvent {
  return Object.freeze({
    channel: gap.channel,
    ...(id !== undefined && { id }),
    type: 'gap',
    data: Object.freeze(gap),
  });
}

/** The origin of an event, if it is one that {@link publishedEvent} made. */
export const originOf = (event: object): EventOrigin | undefined => origins.get(event);

/** All subscribers share the data, so none may change it under the others. Data may be nested deeply: no recursion. */
function deepFreeze(data: unknown): unknown {
  const left: unknown[] = [data];
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (typeof value === 'object' && value !== null)
      for (const child of Object.values(Object.freeze(value))) left.push(child);
  }
  return data;
}
