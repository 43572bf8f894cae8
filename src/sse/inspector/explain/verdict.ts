import { parseLastEventId } from '../../protocol/position.js';
import type { Ended, GapTold } from '../recent.js';
import type { ConnectionEvidence } from './evidence.js';
import type { EventFacts } from './event-facts.js';

/**
 * What became of an event for one connection:
 *
 * - `written`, `replayed`: it was written to the client; `replayed` when the client came back or came later.
 * - `passed`: it was written, or something on the way has dropped it: that cannot be told any more.
 * - `waiting`: the client does not take what was written before it, or the stream is about to give it.
 * - `held`: it was handed to the operators of the route, and nothing that was made of it was written.
 * - `filtered`: `types` or `filter` of the stream hide it.
 * - `gap`: it was gone when the client was to get it, and the client was told of a gap, or is told when it reads on.
 * - `denied`: the client does not get the channel, or had lost it.
 * - `earlier`: it was published before the stream began.
 * - `ended`: the connection ended before it.
 * - `absent`: the connection does not stream the channel.
 */
export type Outcome =
  | 'written'
  | 'replayed'
  | 'passed'
  | 'waiting'
  | 'held'
  | 'filtered'
  | 'gap'
  | 'denied'
  | 'earlier'
  | 'ended'
  | 'absent';

export interface Fact {
  readonly label: string;
  readonly value: string | number;
  /** Whether the value is a time, in milliseconds since 1970. */
  readonly isTime?: boolean;
}

export interface Verdict {
  readonly outcome: Outcome;
  /** One plain sentence. */
  readonly sentence: string;
  readonly facts: readonly Fact[];
}

type Said = Pick<Verdict, 'outcome' | 'sentence'>;

/** Says what became of an event for a connection. */
export function verdictOn(event: EventFacts, evidence: ConnectionEvidence): Verdict {
  return { ...said(event, evidence), facts: factsOf(evidence) };
}

function said(event: EventFacts, evidence: ConnectionEvidence): Said {
  const { position } = evidence;
  const name = nameOf(evidence);
  const gap = evidence.gaps.find((one) => covers(one, event.offset));
  const isPast = position?.given !== undefined && position.given >= event.offset;
  if (gap) return missed(name, event, gap);
  if (!position || position.began === undefined) return withoutPosition(name, event, evidence);
  if (event.offset <= position.began) return before(name, event, evidence);
  if (isPast) return passed(name, event, evidence);
  if (evidence.ended) return endedBefore(name, event, evidence, evidence.ended);
  if (isHidden(event, evidence)) return filtered(name, event, evidence);
  if (position.read >= event.offset)
    return {
      outcome: 'held',
      sentence: `Event ${event.offset} was handed to the operators of the route for ${name}, and they have emitted nothing for it: an operator such as filter() has dropped it, or one such as debounceTime() holds it.`,
    };
  // Where the reader's own log has the event still, its filter could be asked.
  if (event.state === 'gone' && evidence.hides === undefined) return overtaken(name, event, evidence);
  return waits(name, event, evidence);
}

/** A gap was told: its events are those after the position of the client, and before the oldest that was left. */
function covers({ reason, requested, oldest, latest }: GapTold, offset: number): boolean {
  const left = offsetOf(oldest ?? '');
  const end = left ?? (offsetOf(latest) ?? 0) + 1;
  // A position that the log did not know says nothing of what the client has.
  const had = reason === 'unknown' ? 0 : (offsetOf(requested) ?? 0);
  return offset < end && offset > had;
}

/** The offset that an id of one channel names. */
function offsetOf(id: string): number | undefined {
  const parsed = parseLastEventId(id);
  return parsed.kind === 'bare' ? parsed.position.offset : undefined;
}

const GAPS: Readonly<Record<string, string>> = {
  evicted: 'came with a position whose next events had left the log already',
  lagged: 'read so slowly that the log moved past it',
  unknown: 'came with a position that the log does not know',
  unreadable: 'came with a Last-Event-ID that is no position',
};

function missed(name: string, event: EventFacts, { reason, at }: GapTold): Said {
  const cause = GAPS[reason] ?? `met a gap (${reason})`;
  return {
    outcome: 'gap',
    sentence: `Event ${event.offset} was gone when ${name} was to get it: the client ${cause}, and was told so by a "gap" event (${reason}) at ${timeOf(at)}.`,
  };
}

function overtaken(name: string, { offset }: EventFacts, { position, waiting }: ConnectionEvidence): Said {
  return {
    outcome: 'gap',
    sentence: `Event ${offset} has left the log before ${name} got it: its client has read up to event ${position?.read ?? 0} and does not take what was written (${waiting} bytes wait). It is told of a gap when it reads on.`,
  };
}

function withoutPosition(name: string, event: EventFacts, evidence: ConnectionEvidence): Said {
  const [denial] = evidence.denied;
  if (denial) return denied(name, event, denial);
  if (evidence.state === 'opening')
    return {
      outcome: 'waiting',
      sentence: `The stream of ${name} is only beginning: its position in "${event.channel}" is not known yet.`,
    };
  const end = evidence.ended ? `, which has ended (${REASONS[evidence.ended.reason]}),` : '';
  return {
    outcome: 'absent',
    sentence: `${upper(name)}${end} did not stream the channel "${event.channel}".`,
  };
}

function denied(name: string, event: EventFacts, { reason, at }: { reason: string; at: number }): Said {
  const how =
    reason === 'revoked'
      ? 'the channel had been taken away by revoke()'
      : 'the method with @AuthorizeChannel() refused it, or none covers it';
  return {
    outcome: 'denied',
    sentence: `${upper(name)} was denied the channel "${event.channel}" (${reason}) at ${timeOf(at)}: ${how}.`,
  };
}

function before(name: string, event: EventFacts, { position, who }: ConnectionEvidence): Said {
  const isResumed = position?.isResumed === true;
  const why = isResumed
    ? 'its client came back with a position after it, so it says that it has had the event'
    : 'a client without a position gets no more of the past than the replay setting says';
  return {
    outcome: 'earlier',
    sentence: `Event ${event.offset} was published before the stream of ${name} began (${timeOf(who.since)}, after event ${position?.began ?? 0}): ${why}.`,
  };
}

function passed(name: string, event: EventFacts, evidence: ConnectionEvidence): Said {
  if (isHidden(event, evidence)) return filtered(name, event, evidence);
  const { position, who } = evidence;
  const isReplay = position?.liveAfter === undefined || event.offset <= position.liveAfter;
  const written = isReplay
    ? `was replayed to ${name} when ${position?.isResumed ? 'the client came back' : 'the stream began'} at ${timeOf(who.since)}`
    : `was written to ${name}`;
  const doubt = doubtOf(event, evidence);
  const ended = evidence.ended
    ? ` before the connection ended (${REASONS[evidence.ended.reason]}). The client has it if its next Last-Event-ID is at least this one.`
    : '.';
  return {
    outcome: doubt !== '' ? 'passed' : isReplay ? 'replayed' : 'written',
    sentence: `Event ${event.offset} ${written}${doubt}${ended}`,
  };
}

/** The position of a client passes what was kept from it as well: only the last event before it was written for certain. */
function doubtOf({ offset }: EventFacts, { position, hides }: ConnectionEvidence): string {
  if (hides !== 'no' && position?.hasFilter === true)
    return ', unless the filter of the stream hid it, which can no longer be asked';
  const isLast = position?.given === offset;
  if (position?.way !== 'operators' || isLast) return '';
  return ', unless an operator or interceptor of the route has dropped it: it is only known that a later event was written';
}

function isHidden(event: EventFacts, { hides, position }: ConnectionEvidence): boolean {
  if (hides !== undefined) return hides === 'yes';
  const { types } = position ?? {};
  return types !== undefined && event.type !== undefined && !types.includes(event.type);
}

function filtered(name: string, event: EventFacts, { position }: ConnectionEvidence): Said {
  const { types } = position ?? {};
  const isByType = types !== undefined && event.type !== undefined && !types.includes(event.type);
  const by = isByType
    ? `it takes events of the types ${types.map((type) => `"${type}"`).join(', ')}, and this one is of "${event.type ?? ''}"`
    : 'the "filter" of hub.stream() answers false for it';
  return {
    outcome: 'filtered',
    sentence: `Event ${event.offset} is hidden from ${name} by its stream: ${by}.`,
  };
}

function endedBefore(
  name: string,
  event: EventFacts,
  { position, denied: denials }: ConnectionEvidence,
  { at, reason }: NonNullable<ConnectionEvidence['ended']>,
): Said {
  const [denial] = denials;
  if (denial && (reason === 'left' || reason === 'revoked')) return denied(name, event, denial);
  const last = position?.given ?? position?.began ?? 0;
  const over = reason === 'left' ? 'left the channel' : `ended (${REASONS[reason]})`;
  const then =
    event.state === 'kept'
      ? 'The log still has the event: the client gets it if it comes back with its position.'
      : 'The log has the event no more: a client that comes back is told of a gap.';
  return {
    outcome: 'ended',
    sentence: `${upper(name)} had got everything up to event ${last} when it ${over} at ${timeOf(at)}, before event ${event.offset}. ${then}`,
  };
}

function waits(name: string, event: EventFacts, { state, waiting, behind }: ConnectionEvidence): Said {
  const unread =
    behind === 1 ? 'this one is still to be read' : `${behind} events up to this one are still to be read`;
  const cause =
    state === 'backed up'
      ? `its client does not take what was written (${waiting} bytes wait), and ${unread}`
      : 'it is due in one of the next turns';
  return { outcome: 'waiting', sentence: `Event ${event.offset} waits for ${name}: ${cause}.` };
}

const REASONS: Readonly<Record<Ended['reason'], string>> = {
  completed: 'its stream has completed',
  failed: 'its stream has failed',
  client: 'its client has left',
  slow: 'its client fell behind',
  overflow: 'its client did not read',
  gap: 'a plain stream could not be given to its end',
  expired: 'the identity of its user expired',
  revoked: 'it lost its last channel',
  disconnected: 'it was disconnected',
  age: 'limits.connectionAge was reached',
  shutdown: 'its instance shut down',
  refused: 'it was answered with an error status',
  left: 'it left the channel',
};

const nameOf = ({ who: { user, id } }: ConnectionEvidence): string =>
  user === undefined ? `the connection ${id.slice(0, 8)}` : `the connection ${id.slice(0, 8)} of "${user}"`;

const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A time of the day, in UTC: the facts beside the sentence have it in full. */
const timeOf = (at: number): string => `${new Date(at).toISOString().slice(11, 23)} UTC`;

function factsOf({
  who,
  position,
  state,
  ended,
  waiting,
  gaps,
  denied: denials,
}: ConnectionEvidence): Fact[] {
  const facts: (Fact | false)[] = [
    { label: 'Connection', value: who.id },
    who.user !== undefined && { label: 'User', value: who.user },
    { label: 'Path', value: who.path },
    { label: 'Since', value: who.since, isTime: true },
    { label: 'State', value: ended ? `ended: ${REASONS[ended.reason]}` : state },
    ended !== undefined && { label: 'Ended', value: ended.at, isTime: true },
    position?.began !== undefined && { label: 'Stream began after event', value: position.began },
    position?.given !== undefined && { label: 'Written up to event', value: position.given },
    position !== undefined && { label: 'Read up to event', value: position.read },
    position !== undefined && { label: 'Newest event', value: position.head },
    position?.types !== undefined && { label: 'Types', value: position.types.join(', ') },
    position?.hasFilter === true && { label: 'Filter', value: 'a function of the application' },
    waiting > 0 && { label: 'Bytes waiting', value: waiting },
    ...gaps.map(({ at, reason }) => ({ label: `Gap (${reason})`, value: at, isTime: true })),
    ...denials.map(({ at, reason }) => ({ label: `Denied (${reason})`, value: at, isTime: true })),
  ];
  return facts.filter((fact) => fact !== false);
}
