import { isObject } from '../../values.js';
import { eventBody } from '../../protocol/event-stream.js';
import type { StoredEvent } from '../../log/stored-event.js';

/** The fields of a stored event beside its data, by short names. */
interface Head {
  readonly t?: string;
  readonly i?: string;
  readonly r?: number;
  readonly c?: string;
  /** Whether the data is text (0) or JSON (1); left out, there is none. */
  readonly d?: 0 | 1;
}

/** The text of an event on a server: a line of JSON for all but the data, and then the data as it is. */
export function encodeEvent({ type, id, retry, comment, data, json }: StoredEvent): string {
  const head = { t: type, i: id, r: retry, c: comment, d: data === undefined ? undefined : json ? 1 : 0 };
  return `${JSON.stringify(head)}\n${data ?? ''}`;
}

/** The event of a text; `undefined` if another application wrote the text. */
export function decodeEvent(text: string): StoredEvent | undefined {
  const end = text.indexOf('\n');
  const head = end < 0 ? undefined : objectIn(text.slice(0, end));
  if (!head || !isHead(head)) return undefined;
  const { t: type, i: id, r: retry, c: comment, d } = head;
  const data = d === undefined ? undefined : text.slice(end + 1);
  const body = eventBody({ type, retry, comment, data });
  return { body, bytes: Buffer.byteLength(body), type, id, retry, comment, data, json: d === 1 };
}

function isHead(head: object): head is Head {
  const { t, i, r, c, d } = head as Record<keyof Head, unknown>;
  return (
    [t, i, c].every((text) => text === undefined || typeof text === 'string') &&
    (r === undefined || typeof r === 'number') &&
    (d === undefined || d === 0 || d === 1)
  );
}

/** The object that a JSON text stands for; undefined for any other text, as another application may have sent it. */
export function objectIn(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
