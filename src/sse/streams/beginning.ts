import { gapAt, type EventLog, type OwedGap } from '../log/event-log.js';
import type { NamedPosition, Position } from '../protocol/position.js';
import type { Replay } from '../sse.options.js';

/** The position from which a cursor reads, or the gap that its client is told of first. */
export type Beginning = Position | OwedGap;

/** Finds where a client goes on that has sent a position. */
export function whereToResume(requested: NamedPosition, log: EventLog): Beginning {
  // Without a gap it is a position, and no unreadable text.
  return gapAt(requested, log) ?? (requested as Extract<NamedPosition, { kind: 'position' }>).position;
}

/**
 * Finds where a client without a position begins: at the present, or with events that were published before.
 *
 * @param present the newest event when the stream was asked for
 */
export function whereToBegin(log: EventLog, replay: Replay, present: Position): Beginning {
  const { floor, clearedAt } = log;
  // "all" has a gap if the log has dropped events, other than by purge().
  if (replay === 'all') return floor.offset > clearedAt ? { reason: 'evicted', requested: '' } : floor;
  // The start may have waited since `present` was read. The position of an absent channel may have been renewed,
  const read = present.offset === 0 && floor.offset === 0 ? floor : present;
  // and the log of another may have moved past it.
  const reason = log.missing(read);
  if (reason) return { reason, requested: '' };
  return replay === 'none' ? read : log.before(replay, read);
}
