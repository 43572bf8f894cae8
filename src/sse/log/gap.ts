import type { Requested } from '../protocol/position.js';
import type { EventLog } from './event-log.js';
import type { Gap, GapReason, SseEvent } from './sse-event.js';

/** A position that a client asked for, or the text that could not be read as one. */
export type NamedPosition = Exclude<Requested, { readonly kind: 'none' }>;

/** A gap that a client has not been told of yet. */
export interface OwedGap {
  readonly reason: GapReason;
  /** The position from which something is missing, as the client would write it; empty if it had none. */
  readonly requested: string;
}

/** Why a log cannot be read on from a position; undefined if it can. */
export function gapAt(requested: NamedPosition, log: EventLog): OwedGap | undefined {
  if (requested.kind === 'unreadable') return { reason: 'unreadable', requested: requested.text };
  const reason = log.missing(requested.position);
  return reason && { reason, requested: requested.text };
}

/** A gap as an event of a stream outside a response. */
export function gapEvent(gap: Gap, id: string | undefined): SseEvent {
  return Object.freeze({
    channel: gap.channel,
    ...(id !== undefined && { id }),
    type: 'gap',
    data: Object.freeze(gap),
  });
}
