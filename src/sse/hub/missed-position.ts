import { formatPosition, type Position, type Requested } from '../protocol/position.js';
import type { GapReason } from './sse-event.js';

/** What of a log can be had. */
export interface LogBounds {
  readonly epoch: string;
  /** The last offset that is no longer kept. */
  readonly floor: number;
  /** The newest offset. */
  readonly head: number;
}

/** A place that somebody said they are at. */
export type NamedPlace = Exclude<Requested, { readonly kind: 'none' }>;

/** A place from which nobody can go on. */
export interface MissedPosition {
  readonly reason: GapReason;
  /** As it was written. */
  readonly requested: string;
}

/** Why a log does not have everything after a position; undefined if it does. */
export function gapReason({ epoch, offset }: Position, log: LogBounds): GapReason | undefined {
  if (epoch !== log.epoch) return 'epoch';
  if (offset > log.head) return 'ahead';
  return offset < log.floor ? 'evicted' : undefined;
}

/** The same for what may be no position at all. */
export function missedPosition(place: NamedPlace, log: LogBounds): MissedPosition | undefined {
  if (place.kind === 'unreadable') return { reason: 'unreadable', requested: place.text };
  const reason = gapReason(place.position, log);
  return reason && { reason, requested: formatPosition(place.position) };
}
