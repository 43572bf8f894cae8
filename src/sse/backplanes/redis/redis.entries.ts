import { Logger } from '@nestjs/common';
import type { LogEntry } from '../../log/event-log.js';
import type { Position } from '../../protocol/position.js';
import { decodeEvent } from '../common/event-text.js';
import type { HeardEntry, Notice } from '../common/remote-logs.js';

/** An entry of a Stream as Redis answers with it: its id, and its fields and values in turn. */
export type StreamEntry = readonly [id: string, fields: readonly string[] | null];

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
  const [p, marks = '', a, at, n, , e, text] = fields;
  if (p !== 'p' || a !== 'a' || n !== 'n' || e !== 'e' || text === undefined) return undefined;
  const [mark, previous, previousMark] = marks.split(' ');
  const event = decodeEvent(text);
  if (!mark || !previousMark || !event) return undefined;
  return {
    offset: Number.parseInt(id),
    mark,
    previous: positionOf(previous, previousMark),
    at: Number(at),
    event,
  };
}

/** Reads a notice; `undefined` of what somebody else has sent. */
export function noticeOf(message: string): Notice | undefined {
  const end = message.indexOf('\n');
  const words = (end < 0 ? message : message.slice(0, end)).split(' ');
  const [kind, offset, mark, previous, previousMark, at] = words;
  const position = positionOf(offset, mark ?? '');
  if (!mark || !Number.isSafeInteger(position.offset)) return undefined;
  if (kind === 'purged' || kind === 'completed') return { kind, position };
  if (kind !== 'entry' || end < 0) return undefined;
  const entry = (): HeardEntry | undefined => {
    const event = decodeEvent(message.slice(end + 1));
    const known = positionOf(previous, previousMark ?? '');
    return event && { ...position, previous: known.offset, known, at: Number(at), event };
  };
  return { kind, position, entry };
}

export const positionOf = (offset: string | undefined, mark: string): Position => ({
  offset: Number(offset),
  mark,
});
