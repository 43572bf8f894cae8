import { eventBody, isOneLine, normalText, SharedText } from '../protocol/event-stream.js';
import { MAX_ID_BYTES, type Position } from '../protocol/position.js';
import { invalidEvent, reasonOf, SseError } from '../sse.errors.js';
import { typeOf } from './event-type.js';
import type { SseEventInput } from './sse-event.js';

/** The copy of an event in another channel: an event may be published to several at once. */
export interface EventCopy extends Position {
  readonly channel: string;
}

/**
 * An event as a log keeps it: encoded once, when it was published.
 *
 * `trace` and `also` travel with it from instance to instance. Clients do not get them, and most events have neither.
 */
export interface StoredEvent {
  /** Its lines without that of the id, with the blank line that ends them. */
  readonly body: string;
  /** The length of `body` in UTF-8. */
  readonly bytes: number;
  readonly type: string | undefined;
  /** The publisher's own id; only on channels without history. */
  readonly id: string | undefined;
  readonly retry: number | undefined;
  readonly comment: string | undefined;
  /** The data as it is sent. */
  readonly data: string | undefined;
  /** Whether `data` is JSON of the published value, and not the published string itself. */
  readonly json: boolean;
  /** The W3C `traceparent` of the span in which it was published. */
  readonly trace?: string | undefined;
  /** Its copies in other channels that were stored before it. */
  readonly also?: readonly EventCopy[] | undefined;
}

/** The maker of the ids of a channel: the hub, or the publisher of each event where there is no history. */
export type IdsBy = 'hub' | 'publisher';

const FIELDS: ReadonlySet<string> = new Set(['type', 'data', 'id', 'retry', 'comment']);

/**
 * Checks an event and encodes it.
 *
 * @throws SseError that says what is wrong with which field; nothing has been sent then
 */
export function storedEvent(event: SseEventInput, ids: IdsBy, maxBytes: number): StoredEvent {
  if (typeof event !== 'object' || event === null) {
    throw new SseError(
      'INVALID_EVENT',
      `An event is an object { type?, data?, id?, retry?, comment? }, not ${event === null ? 'null' : typeof event}.`,
    );
  }
  for (const field in event) {
    if (!FIELDS.has(field)) {
      throw new SseError(
        'INVALID_EVENT',
        `An event has no field "${field}". It takes type, data, id, retry and comment. Put other values into data.`,
      );
    }
  }
  const type = event.type === undefined ? undefined : typeOf(event.type);
  const id = idOf(event.id, ids);
  const retry = retryOf(event.retry);
  const comment = commentOf(event.comment);
  const json = typeof event.data !== 'string' && event.data !== undefined;
  // Without a data line an EventSource drops the event.
  const data = event.data === undefined ? (type === undefined ? undefined : '') : dataOf(event.data);
  if (data === undefined && id === undefined && retry === undefined && comment === undefined) {
    throw new SseError('INVALID_EVENT', 'An event needs at least one of type, data, id, retry and comment.');
  }
  const stored = restoredEvent({ type, id, retry, comment, data, json });
  if (stored.bytes <= maxBytes) return stored;
  throw new SseError(
    'EVENT_TOO_LARGE',
    `The event has ${stored.bytes} bytes, at most ${maxBytes} are allowed. Send a reference to the data, or raise maxEventBytes.`,
  );
}

/**
 * Checks and encodes an event that may also be of the type `error`, which is otherwise for the package alone.
 *
 * @throws SseError as {@link storedEvent}
 */
export function lastEvent(event: SseEventInput, ids: IdsBy, maxBytes: number): StoredEvent {
  if (event?.type !== 'error') return storedEvent(event, ids, maxBytes);
  const { type, data = '', ...others } = event;
  return restoredEvent({ ...storedEvent({ data, ...others }, ids, maxBytes), type });
}

/** An event that tells of an error by a text. */
export const errorEvent = (message: string): StoredEvent =>
  lastEvent({ type: 'error', data: message }, 'hub', Infinity);

/** An event of fields that were checked before: its body is made again. */
export function restoredEvent(fields: Omit<StoredEvent, 'body' | 'bytes'>): StoredEvent {
  const { type, id, retry, comment, data, json } = fields;
  const body = eventBody({ type, retry, comment, data });
  // Measured by its parts. V8 would copy the body to measure it, and the event would keep its data twice.
  const bytes = body.length + surplus(type) + surplus(comment) + surplus(data);
  return travelling({ body, bytes, type, id, retry, comment, data, json }, fields);
}

/** How many more bytes than characters a text has in UTF-8. */
const surplus = (text: string | undefined): number =>
  text === undefined ? 0 : Buffer.byteLength(text) - text.length;

/** The event with what travels with it: itself where there is nothing. */
export function travelling(
  event: StoredEvent,
  { trace, also }: Pick<StoredEvent, 'trace' | 'also'>,
): StoredEvent {
  if (trace === undefined && also === undefined) return event;
  return { ...event, ...(trace !== undefined && { trace }), ...(also !== undefined && { also }) };
}

const bodies = new WeakMap<StoredEvent, SharedText>();

/** The body of an event, which all clients get, whatever their ids. */
export function sharedBody(event: StoredEvent): SharedText {
  let shared = bodies.get(event);
  if (!shared) {
    shared = new SharedText(event.body);
    bodies.set(event, shared);
  }
  return shared;
}

const NOT_ASCII = /[^\x20-\x7e]/;

function idOf(id: unknown, ids: IdsBy): string | undefined {
  if (id === undefined) return undefined;
  if (ids === 'hub') {
    throw new SseError(
      'ID_NOT_ALLOWED',
      'The hub makes the ids of a channel with history, so that clients can resume. Leave the id out, or give the channel history: 0.',
    );
  }
  if (typeof id !== 'string' || !isOneLine(id))
    throw invalidEvent('id', 'is a string of one line without NUL');
  const text = normalText(id);
  if (NOT_ASCII.test(text))
    throw invalidEvent(
      'id',
      'is printable ASCII, as some clients cannot send back anything else. Encode it with encodeURIComponent()',
    );
  // A client sends it back in a header, and is turned down for good if that is too long.
  if (Buffer.byteLength(text) > MAX_ID_BYTES) throw invalidEvent('id', `has at most ${MAX_ID_BYTES} bytes`);
  return text;
}

function retryOf(retry: unknown): number | undefined {
  if (retry === undefined) return undefined;
  if (!Number.isSafeInteger(retry) || (retry as number) < 0) {
    throw invalidEvent('retry', 'is a whole number of milliseconds of at least 0');
  }
  return retry as number;
}

function commentOf(comment: unknown): string | undefined {
  if (comment === undefined) return undefined;
  if (typeof comment !== 'string') throw invalidEvent('comment', 'is a string');
  return normalText(comment);
}

function dataOf(data: unknown): string {
  if (typeof data === 'string') return normalText(data);
  let fault = `a ${typeof data}, for which JSON has no form`;
  let cause: unknown;
  try {
    const text = JSON.stringify(data) as string | undefined;
    if (text !== undefined) return text;
  } catch (error) {
    fault = `no JSON value: ${reasonOf(error)}`;
    cause = error;
  }
  throw new SseError('NOT_SERIALIZABLE', `The event's data is ${fault}`, { cause });
}
