import type { LogRange, RangeQuery } from './backplane.js';
import type { EventLog, LogEntry } from './event-log.js';

/** The members of a log that {@link rangeOf} needs. */
export type ReadableLog = Pick<EventLog, 'floor' | 'head' | 'size' | 'at' | 'indexAfter' | 'missing'>;

/** The part of a log that is asked for, as {@link SseBackplane.read} answers with it. */
export function rangeOf(log: ReadableLog, { after, upTo, limit }: RangeQuery): LogRange {
  const missingAfter = after && log.missing(after);
  const missingUpTo = upTo && log.missing(upTo);
  const end = upTo && !missingUpTo ? log.indexAfter(upTo.offset) : log.size;
  const oldest = after ? 0 : Math.max(0, end - limit);
  const start = after && !missingAfter ? log.indexAfter(after.offset) : oldest;
  const entries: LogEntry[] = [];
  for (let i = start; i < end && entries.length < limit; i++) entries.push(log.at(i) as LogEntry);
  return { floor: log.floor, head: log.head, entries, missing: missingAfter ?? missingUpTo };
}
