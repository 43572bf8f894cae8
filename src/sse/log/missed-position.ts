import type { Requested } from '../protocol/position.js';
import type { EventLog } from './event-log.js';
import type { GapReason } from './sse-event.js';

/** A position that somebody asked for, or what was sent in its place. */
export type NamedPosition = Exclude<Requested, { readonly kind: 'none' }>;

/** A gap that a client has not been told of yet. */
export interface Missed {
  readonly reason: GapReason;
  /** The position from which something is missing, as the client would write it; empty if it had none. */
  readonly requested: string;
}

/** Why a log cannot be gone on with from a position; undefined if it can. */
export function missedBy(requested: NamedPosition, log: EventLog): Missed | undefined {
  if (requested.kind === 'unreadable') return { reason: 'unreadable', requested: requested.text };
  const reason = log.missing(requested.position);
  return reason && { reason, requested: requested.text };
}
