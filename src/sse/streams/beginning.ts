import type { EventLog } from '../log/event-log.js';
import { gapAt, type NamedPosition, type OwedGap } from '../log/gap.js';
import type { Position } from '../protocol/position.js';
import type { Replay } from '../sse.options.js';

/** The position from which a cursor reads, or the gap that its client is told of first. */
export type Beginning = Position | OwedGap;

/** Goes on from the position that a client has sent. */
export function whereToResume(requested: NamedPosition, log: EventLog): Beginning {
  // Only a position that was read can be in a log.
  return gapAt(requested, log) ?? (requested as Extract<NamedPosition, { kind: 'position' }>).position;
}

/**
 * Begins for a client without a position: at the present, or with what was published before.
 *
 * @param present the newest event when the stream was asked for
 */
export function whereToBegin(log: EventLog, replay: Replay, present: Position): Beginning {
  const { floor, clearedAt } = log;
  // With events missing from "all" that were not deleted on purpose, there is a gap.
  if (replay === 'all') return floor.offset > clearedAt ? { reason: 'evicted', requested: '' } : floor;
  // The start may have waited since `present` was read. The position of an absent channel may have been renewed,
  const read = present.offset === 0 && floor.offset === 0 ? floor : present;
  // and the log of another may have moved past it.
  const reason = log.missing(read);
  if (reason) return { reason, requested: '' };
  return replay === 'none' ? read : log.before(replay, read);
}
