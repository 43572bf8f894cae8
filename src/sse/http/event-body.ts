import { Logger, type MessageEvent } from '@nestjs/common';
import { errorMessage } from '../error-message.js';
import { isSharedData } from '../log/published-event.js';
import type { Gap } from '../log/sse-event.js';
import { eventBody } from '../protocol/event-stream.js';
import { SseError } from '../sse.errors.js';
import { isObject } from '../values.js';
import type { PlainStream, StreamFailure } from './sse-route.metadata.js';

/**
 * An event that is not the hub's, in the form that Nest gives it: line ends are taken out of what must
 * be one line, null and undefined data have no line, and what is no object is the data.
 */
export function foreignEvent(value: unknown): {
  readonly id: string | undefined;
  readonly body: string;
  readonly isComment: boolean;
} {
  const event = isObject(value) || typeof value === 'function' ? (value as MessageEvent) : { data: value };
  const { type, id, retry, comment } = event as Partial<MessageEvent>;
  const data: unknown = event.data;
  const hasOnlyData = type === undefined && retry === undefined && comment === undefined;
  const body =
    hasOnlyData && isObject(data)
      ? dataBody(data)
      : eventBody({
          type: oneLine(type),
          retry: oneLine(retry),
          comment: comment ?? undefined,
          data: typeof data === 'string' ? data : JSON.stringify(data ?? undefined), // which makes nothing of undefined
        });
  const isComment = comment != null && data === undefined && type === undefined && retry === undefined;
  return { id: oneLine(id), body, isComment };
}

/** By the data of events of the hub. Operators often hand that on as it is, once for each client. */
const dataBodies = new WeakMap<object, string>();

/** The body of an event that has only data. */
function dataBody(data: object): string {
  const known = dataBodies.get(data);
  if (known !== undefined) return known;
  const body = eventBody({ data: JSON.stringify(data) });
  if (isSharedData(data)) dataBodies.set(data, body);
  return body;
}

const FIELDS: readonly (keyof MessageEvent)[] = ['data', 'type', 'id', 'retry', 'comment'];

/**
 * Refuses an object of which nothing would be sent: it was meant to be the data of an event.
 *
 * @throws SseError `INVALID_EVENT`
 */
export function checkEvent(value: unknown, { path }: { readonly path: string }): void {
  if (typeof value !== 'object' || value === null || FIELDS.some((field) => field in value)) return;
  const keys = Object.keys(value).slice(0, 3).join(', ');
  throw new SseError(
    'INVALID_EVENT',
    `The stream of ${path} has emitted an object that is no event, as it has none of ${FIELDS.join(', ')}${keys && ` but ${keys}`}. Emit { data: … }.`,
  );
}

/** An event of this package's own. */
export const ownEvent = (type: string, data: object): string =>
  eventBody({ type, data: JSON.stringify(data) });

/** The text of a gap; undefined on a `plain` route without a `gap` function, or where that gives none. */
export function gapText(gap: Gap, plain: PlainStream | boolean): string | undefined {
  if (!plain) return ownEvent('gap', gap);
  return plain === true ? undefined : formedText(() => plain.gap?.(gap));
}

/** The text of the last event of a `plain` route that cannot be given to its end; undefined if it makes none. */
export function lastText(failure: StreamFailure, plain: PlainStream | boolean): string | undefined {
  return typeof plain === 'boolean' ? undefined : formedText(() => plain.error?.(failure));
}

function formedText(form: () => MessageEvent | undefined): string | undefined {
  try {
    const formed = form();
    return formed && foreignEvent(formed).body;
  } catch (error) {
    new Logger('SseConnection').error(error);
    return undefined;
  }
}

const oneLine = (value: string | number | null | undefined): string | undefined =>
  value === undefined || value === null ? undefined : String(value).replace(/[\r\n\0]/g, '');

/** An error after the head was sent: what the client may know of it. */
export const errorText = (error: unknown): string => eventBody({ type: 'error', data: errorMessage(error) });
