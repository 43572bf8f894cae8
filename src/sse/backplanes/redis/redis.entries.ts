import { Logger } from '@nestjs/common';
import type { LogEntry } from '../../hub/event-log.js';
import { decodeEvent } from '../remote/event-text.js';

/** An entry of a Stream as Redis answers with it: its id, and its fields and values in turn. */
export type StreamEntry = readonly [id: string, fields: readonly string[] | null];

/** The offset that the id of a Stream's entry stands for. */
export const offsetOf = (id: string): number => Number.parseInt(id);

/** The entries that this package wrote; others are left out, and warned of. */
export function entriesOf(stream: readonly StreamEntry[], key: string): LogEntry[] {
  const entries: LogEntry[] = [];
  for (const [id, fields] of stream) {
    const entry = fields && entryOf(id, fields);
    if (entry) entries.push(entry);
    else
      new Logger('SseHub').warn(`The entry ${id} of ${key} in Redis is not of this package, and is skipped.`);
  }
  return entries;
}

function entryOf(id: string, fields: readonly string[]): LogEntry | undefined {
  const [p, previous, a, at, n, , e, text] = fields;
  if (p !== 'p' || a !== 'a' || n !== 'n' || e !== 'e' || text === undefined) return undefined;
  const event = decodeEvent(text);
  return event && { offset: offsetOf(id), previous: Number(previous), at: Number(at), event };
}

/** What a notice tells of; an entry's event is decoded only if it is asked for. */
export type Notice =
  | {
      readonly kind: 'entry';
      readonly epoch: string;
      readonly offset: number;
      readonly entry: () => LogEntry | undefined;
    }
  | { readonly kind: 'purged' | 'completed'; readonly epoch: string; readonly offset: number }
  | { readonly kind: 'epoch' };

/** Reads a notice; `undefined` of what somebody else has sent. */
export function noticeOf(message: string): Notice | undefined {
  const end = message.indexOf('\n');
  const [kind, epoch = '', offsetText, previous, at] = (end < 0 ? message : message.slice(0, end)).split(' ');
  if (kind === 'epoch') return { kind };
  const offset = Number(offsetText);
  if (!Number.isSafeInteger(offset)) return undefined;
  if (kind === 'purged' || kind === 'completed') return { kind, epoch, offset };
  if (kind !== 'entry' || end < 0) return undefined;
  const entry = (): LogEntry | undefined => {
    const event = decodeEvent(message.slice(end + 1));
    return event && { offset, previous: Number(previous), at: Number(at), event };
  };
  return { kind, epoch, offset, entry };
}
