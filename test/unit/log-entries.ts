import type { EventLog, LogEntry } from '../../src/sse/log/event-log.js';
import { newMark } from '../../src/sse/backplanes/common/mark.js';
import type { Position } from '../../src/sse/protocol/position.js';
import { storedOf } from './stored-events.js';

/** The position before the first event of a log. */
export const BIRTH: Position = { offset: 0, mark: 'birth' };

export const NO_LIMITS = { count: Infinity, bytes: Infinity, age: Infinity };

export const positionOf = ({ offset, mark }: Position): Position => ({ offset, mark });

export const entriesOf = (log: EventLog): LogEntry[] => [...log.entriesAfter(-1)];

/** The event that would come next in a log; with a hole before it, it has a later offset than the next. */
export const nextEntry = (head: Position, { bytes = 10, at = 0, hole = 0 } = {}): LogEntry => ({
  offset: head.offset + 1 + hole,
  mark: newMark(),
  previous: head,
  at,
  event: storedOf(bytes),
});

/** Stores one more event, as a store does that may be published to while it makes room. */
export function publish(log: EventLog, { bytes = 10, at = 0 } = {}): LogEntry {
  log.makeRoom(bytes, at);
  const entry = nextEntry(log.head, { bytes, at });
  log.add(entry);
  return entry;
}
