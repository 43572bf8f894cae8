import type { EventLog } from '../log/event-log.js';
import { gapAt, type NamedPosition, type OwedGap } from '../log/gap.js';
import type { Position } from '../protocol/position.js';
import type { Replay } from '../sse.options.js';

/** Where a cursor begins to read, or the gap that its client is told of first. */
export type Beginning = { readonly read: Position } | { readonly gap: OwedGap };

/** Goes on from where a client says that it is. */
export function resumed(requested: NamedPosition, log: EventLog): Beginning {
  const gap = gapAt(requested, log);
  // Only a position that was read can be in a log.
  return gap ? { gap } : { read: (requested as Extract<NamedPosition, { kind: 'position' }>).position };
}

/**
 * Begins for a client without a position: at the present, or with what was published before.
 *
 * @param present the newest event when the stream was asked for
 */
export function begunAnew(log: EventLog, replay: Replay, present: Position): Beginning {
  const { floor, clearedAt } = log;
  if (replay === 'all') {
    // Part of "all" is gone, and was not deleted on purpose.
    if (floor.offset > clearedAt) return { gap: { reason: 'evicted', requested: '' } };
    return { read: floor };
  }
  // While the start waited, for another channel perhaps, the position of an absent channel may have become another, and
  // the log may have moved past the present.
  const read = present.offset === 0 && floor.offset === 0 ? floor : present;
  const reason = log.missing(read);
  if (reason) return { gap: { reason, requested: '' } };
  return { read: replay === 'none' ? read : log.before(replay, read) };
}
