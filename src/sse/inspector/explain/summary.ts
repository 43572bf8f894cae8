import type { EventEvidence } from './evidence.js';
import type { EventFacts } from './event-facts.js';
import type { Outcome, Verdict } from './verdict.js';

/** The best that can have become of an event comes first: a client with several connections has it if one of them has. */
const ORDER: readonly Outcome[] = [
  'written',
  'replayed',
  'passed',
  'waiting',
  'held',
  'filtered',
  'gap',
  'denied',
  'earlier',
  'ended',
  'absent',
];

export const byOutcome = (one: Pick<Verdict, 'outcome'>, other: Pick<Verdict, 'outcome'>): number =>
  ORDER.indexOf(one.outcome) - ORDER.indexOf(other.outcome);

/** Says what is known of the event where nothing is known of a connection. */
export function aboutEvent(event: EventFacts, known: readonly EventEvidence[]): string {
  const { channel, offset, state, newest } = event;
  if (state === 'kept') return `Event ${offset} is in the log of "${channel}".`;
  if (state === 'unknown')
    return newest === 0
      ? `The channel "${channel}" has no events: nothing was published to it, or its log was given back after its ttl.`
      : `The log of "${channel}" has no such event, and goes up to ${newest}: the event was not stored, or is of a log that was lost or replaced.`;
  const cleared = known.flatMap((one) => one.cleared).find(({ kind }) => kind === 'purged');
  const why = cleared
    ? 'it was purged, or newer events have pushed it out'
    : 'newer events have pushed it out';
  return `Event ${offset} is no longer in the log of "${channel}": ${why}.`;
}

/** The sentence for all connections that were asked about. @param whose how the asker named them */
export function summaryOf(
  event: EventFacts,
  known: readonly EventEvidence[],
  verdicts: readonly Verdict[],
  whose: string | undefined,
): string {
  const about = aboutEvent(event, known);
  const [best] = verdicts;
  // Whoever is denied the channel gets no event of it, and most ask about one that has none yet.
  if (event.state === 'unknown')
    return whose !== undefined && best?.outcome === 'denied' ? `${best.sentence} ${about}` : about;
  if (!best) {
    const since = new Date(Math.min(Date.now(), ...known.map((one) => one.since))).toISOString();
    if (whose === undefined) return `${about} No connection is known that streamed the channel.`;
    return `${about} Nothing is known of ${whose}: it is not open, and none of its ends, gaps or denials is remembered (the memory reaches back to ${since} at most).`;
  }
  if (whose !== undefined || verdicts.length === 1) return best.sentence;
  const counts = new Map<Outcome, number>();
  for (const { outcome } of verdicts) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  const parts = [...counts].map(([outcome, count]) => `${outcome} ${count}`).join(', ');
  return `${about} Of ${verdicts.length} connections: ${parts}.`;
}
