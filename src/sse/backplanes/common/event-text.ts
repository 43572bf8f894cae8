import { isObject } from '../../values.js';
import { restoredEvent, type EventCopy, type StoredEvent } from '../../log/stored-event.js';

/** The fields of a stored event beside its data, by short names. Readers pass over names that they do not know. */
interface Head {
  readonly t?: string;
  readonly i?: string;
  readonly r?: number;
  readonly c?: string;
  /** Whether the data is text (0) or JSON (1); left out, there is none. */
  readonly d?: 0 | 1;
  /** The W3C `traceparent`. */
  readonly p?: string;
  /** Its copies in other channels. */
  readonly a?: readonly CopyText[];
}

type CopyText = readonly [channel: string, offset: number, mark: string];

/** The text of an event on a server: a line of JSON for all but the data, and then the data as it is. */
export function encodeEvent(event: StoredEvent): string {
  const { type, id, retry, comment, data, json, trace, also } = event;
  const head = { t: type, i: id, r: retry, c: comment, d: data === undefined ? undefined : json ? 1 : 0 };
  const isPlain = trace === undefined && also === undefined;
  const a = also?.map(({ channel, offset, mark }): CopyText => [channel, offset, mark]);
  return `${JSON.stringify(isPlain ? head : { ...head, p: trace, a })}\n${data ?? ''}`;
}

/** The event of a text; `undefined` if another application wrote the text. */
export function decodeEvent(text: string): StoredEvent | undefined {
  const end = text.indexOf('\n');
  const head = end < 0 ? undefined : objectIn(text.slice(0, end));
  if (!head || !isHead(head)) return undefined;
  const { t: type, i: id, r: retry, c: comment, d, p: trace, a } = head;
  const data = d === undefined ? undefined : text.slice(end + 1);
  const also = a?.map(([channel, offset, mark]): EventCopy => ({ channel, offset, mark }));
  return restoredEvent({ type, id, retry, comment, data, json: d === 1, trace, also });
}

function isHead(head: object): head is Head {
  const { t, i, r, c, d, p, a } = head as Record<keyof Head, unknown>;
  return (
    [t, i, c, p].every((text) => text === undefined || typeof text === 'string') &&
    (r === undefined || typeof r === 'number') &&
    (d === undefined || d === 0 || d === 1) &&
    (a === undefined || (Array.isArray(a) && a.every(isCopy)))
  );
}

const isCopy = (copy: unknown): boolean =>
  Array.isArray(copy) &&
  typeof copy[0] === 'string' &&
  Number.isSafeInteger(copy[1]) &&
  typeof copy[2] === 'string';

/** The object that a JSON text stands for; undefined for any other text, as another application may have sent it. */
export function objectIn(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
