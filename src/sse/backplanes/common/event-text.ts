import { eventBody } from '../../protocol/event-stream.js';
import type { StoredEvent } from '../../log/stored-event.js';

/** What a stored event has beside its data, by short names. */
interface Head {
  readonly t?: string;
  readonly i?: string;
  readonly r?: number;
  readonly c?: string;
  /** Whether the data is text (0) or JSON (1); left out, there is none. */
  readonly d?: 0 | 1;
}

/** An event as a server keeps it: a line of JSON, and the data as it is, which is most of it. */
export function encodeEvent({ type, id, retry, comment, data, json }: StoredEvent): string {
  const head = { t: type, i: id, r: retry, c: comment, d: data === undefined ? undefined : json ? 1 : 0 };
  return `${JSON.stringify(head)}\n${data ?? ''}`;
}

/** The event that was encoded; `undefined` of a text that somebody else wrote. */
export function decodeEvent(text: string): StoredEvent | undefined {
  const end = text.indexOf('\n');
  const head = end < 0 ? undefined : headOf(text.slice(0, end));
  if (!head) return undefined;
  const { t: type, i: id, r: retry, c: comment, d } = head;
  const data = d === undefined ? undefined : text.slice(end + 1);
  const body = eventBody({ type, retry, comment, data });
  return { body, bytes: Buffer.byteLength(body), type, id, retry, comment, data, json: d === 1 };
}

function headOf(text: string): Head | undefined {
  try {
    const head: unknown = JSON.parse(text);
    return isHead(head) ? head : undefined;
  } catch {
    return undefined;
  }
}

function isHead(head: unknown): head is Head {
  if (typeof head !== 'object' || head === null) return false;
  const { t, i, r, c, d } = head as Record<keyof Head, unknown>;
  return (
    [t, i, c].every((text) => text === undefined || typeof text === 'string') &&
    (r === undefined || typeof r === 'number') &&
    (d === undefined || d === 0 || d === 1)
  );
}
