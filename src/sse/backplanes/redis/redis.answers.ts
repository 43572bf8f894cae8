import { Logger } from '@nestjs/common';
import type { LogEntry } from '../../log/event-log.js';
import type { Position } from '../../protocol/position.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { decodeEvent } from '../common/event-text.js';
import type { Notice, ReceivedEntry } from '../common/remote-logs.js';
import { ageOf } from './absent-position.js';

/** A log as the scripts that read it answer with it: see `ANSWER` in redis.scripts.ts. */
export interface Kept {
  readonly now: number;
  readonly head: Position;
  readonly floor: Position;
  readonly birth: Position;
  readonly born: number;
  readonly clearedAt: number;
  readonly completed: boolean;
  /** The values that the script has answered beyond these. */
  readonly rest: readonly unknown[];
}

/** A channel that is not there. */
export interface Absent {
  readonly now: number;
}

export const isThere = (kept: Kept | Absent): kept is Kept => 'head' in kept;

/** Reads the answer of a script that reads. */
export function keptOf([now, ...log]: readonly unknown[]): Kept | Absent {
  if (log.length === 0) return { now: Number(now) };
  const [head, mark, floor, floorMark, birth, born, cleared, done] = log as string[];
  return {
    now: Number(now),
    head: positionOf(head, mark),
    floor: positionOf(floor, floorMark),
    birth: positionOf('0', birth),
    born: Number(born),
    clearedAt: Number(cleared),
    completed: done === '1',
    rest: log.slice(8),
  };
}

/** Whether a log begins with a position: its birth, or that of the absent channel before it. */
export function beginsWith(
  { birth, born }: Kept,
  store: string,
  { ttl }: ChannelSettings,
  position: Position,
): boolean {
  if (position.offset !== 0) return false;
  return position.mark === birth.mark || ageOf(position, store, born, ttl) !== undefined;
}

/** An entry of a Stream as Redis answers with it: its id, and its fields and values in turn. */
export type StreamEntry = readonly [id: string, fields: readonly string[] | null];

/** The entries that this package wrote; others are left out, with a warning. */
export function entriesOf(stream: readonly StreamEntry[], key: string): LogEntry[] {
  const entries: LogEntry[] = [];
  for (const [id, fields] of stream) {
    const entry = fields && entryOf(id, fields);
    if (entry) entries.push(entry);
    else warnOfForeign(`The entry ${id} of ${key}`);
  }
  return entries;
}

function entryOf(id: string, fields: readonly string[]): LogEntry | undefined {
  const [p, marks = '', a, at, n, , e, text] = fields;
  if (p !== 'p' || a !== 'a' || n !== 'n' || e !== 'e' || text === undefined) return undefined;
  const [mark, previous, previousMark] = marks.split(' ');
  const event = decodeEvent(text);
  if (!mark || !previousMark || !event) return undefined;
  const offset = Number.parseInt(id);
  return { offset, mark, previous: positionOf(previous, previousMark), at: Number(at), event };
}

/** Reads a notice; `undefined` if somebody else has sent it. */
export function noticeOf(message: string): Notice | undefined {
  const end = message.indexOf('\n');
  const words = (end < 0 ? message : message.slice(0, end)).split(' ');
  const [kind, offset, mark, previous, previousMark, at] = words;
  const position = positionOf(offset, mark);
  if (!mark || !Number.isSafeInteger(position.offset)) return undefined;
  if (kind === 'purged' || kind === 'completed') return { kind, position };
  if (kind !== 'entry' || end < 0) return undefined;
  const entry = (): ReceivedEntry | undefined => {
    const event = decodeEvent(message.slice(end + 1));
    const known = positionOf(previous, previousMark);
    return event && { ...position, previous: known.offset, known, at: Number(at), event };
  };
  return { kind, position, entry };
}

export const positionOf = (offset: string | undefined, mark = ''): Position => ({
  offset: Number(offset),
  mark,
});

export function warnOfForeign(what: string): void {
  new Logger('SseHub').warn(`${what} in Redis is not of this package, and is skipped.`);
}
