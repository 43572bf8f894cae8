import { Logger } from '@nestjs/common';
import type { LogBounds, LogEntry } from '../../log/event-log.js';
import type { Position } from '../../protocol/position.js';
import { decodeEvent } from '../common/event-text.js';
import type { Notice, ReceivedEntry } from '../common/remote-logs.js';

/** A channel's log as the script `read` finds it. */
export interface Kept extends LogBounds {
  /** If the channel is not there, all the positions are the one that says so. */
  readonly isThere: boolean;
  readonly birth: Position;
  readonly clearedAt: number;
  readonly completed: boolean;
  /** Whether the log holds the positions between which it was read. */
  readonly hasAfter: boolean;
  readonly hasUpTo: boolean;
  readonly stream: readonly StreamEntry[];
  /** Whether the log begins with a position: its birth, or that of the absent channel before it. */
  beginsWith(position: Position): boolean;
}

/**
 * Reads the answer of the script.
 *
 * @param store the name of the store in which it was read
 * @param known the position that a reader has. If it is that of an absent channel and young, it is not renewed, which
 * saves telling the reader
 */
export function keptOf(answer: readonly unknown[], store: string, ttl: number, known?: Position): Kept {
  const [now, head, mark, floor, floorMark, birth, born, cleared, done, hasAfter, hasUpTo] =
    answer as string[];
  const isThere = head !== undefined;
  const until = Number(isThere ? born : now);
  // Valid by a quarter of the ttl: less than an eighth of it old.
  const isYoung = known !== undefined && ageOf(known, store, until, ttl / 4) !== undefined;
  const nothingYet = isYoung ? known : absentPosition(store, until);
  return {
    isThere,
    head: isThere ? positionOf(head, mark) : nothingYet,
    floor: isThere ? positionOf(floor, floorMark) : nothingYet,
    birth: isThere ? positionOf('0', birth) : nothingYet,
    clearedAt: Number(cleared ?? 0),
    completed: done === '1',
    hasAfter: hasAfter === '1',
    hasUpTo: hasUpTo === '1',
    stream: (answer[11] ?? []) as StreamEntry[],
    beginsWith: (position) =>
      (position.offset === 0 && position.mark === birth) || ageOf(position, store, until, ttl) !== undefined,
  };
}

/** An entry of a Stream as Redis answers with it. */
export type StreamEntry = readonly [id: string, fieldsAndValues: readonly string[] | null];

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

/** Reads a notice; `undefined` if another application has sent it. */
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
    return event && { offset: position.offset, mark, previous: known.offset, known, at: Number(at), event };
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

/*
 * The position of an absent channel ("nothing yet"): offset 0, and a mark of the store in which the channel was absent
 * and the time of its clock. It is valid for half of the channel's ttl. For an eighth it is young, and not renewed: a
 * channel that is followed is compared that often.
 */

/** The store's name, and milliseconds since 1970. The birth mark of a log is shorter. */
const MARK = /^([0-9A-Za-z]{8})([0-9a-z]{7,9})$/;

/** @param at when the channel was absent, in milliseconds since 1970 */
export const absentPosition = (store: string, at: number): Position => ({
  offset: 0,
  mark: store + at.toString(36),
});

/**
 * The age of such a position in milliseconds; undefined for any other position, and from `ttl / 2` on, when it is no
 * longer valid. A log is there for at least its `ttl`, so none has come and gone in a shorter time. Only half of that
 * is relied on, so that a clock that was set back by less than the other half does no harm.
 *
 * @param store the present store
 * @param until the end of the time without a log: the birth of the log, or now
 */
export function ageOf(
  { offset, mark }: Position,
  store: string,
  until: number,
  ttl: number,
): number | undefined {
  const [, itsStore, at = ''] = (offset === 0 && MARK.exec(mark)) || [];
  if (itsStore !== store) return undefined;
  const age = until - Number.parseInt(at, 36);
  return age >= 0 && age < ttl / 2 ? age : undefined;
}
