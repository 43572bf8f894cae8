import type { Published } from './channel-record.js';

/** What one client saw of one channel, in the order in which it came. */
export type Seen =
  /** Its stream began: what is published later than `newest` concerns it, what was stored up to `stored` does not. */
  | { readonly kind: 'began'; readonly stored: number; readonly newest: number }
  | { readonly kind: 'event'; readonly number: number }
  | {
      readonly kind: 'gap';
      readonly reason: string;
      readonly requested: string;
      readonly oldest: string | null;
      readonly latest: string;
      /** The newest event that was being published when the gap came, and the newest that a log may have let go of. */
      readonly newest: number;
      readonly goneUpTo: number;
      /** Whether the client had read everything at once that was sent to it. */
      readonly keepsUp: boolean;
    };

export interface Rules {
  /** Whether a log could forget more than its limits say: by a restart of its store, or its `ttl`. */
  readonly mayForget: boolean;
  /** Whether the store itself lost what it had acknowledged. */
  readonly mayLose: boolean;
  /** Whether the client begins with what the log has. */
  readonly replaysAll: boolean;
  readonly hidesEvents: boolean;
  /** Whether an operator hands events on later, so that some come after a gap that was told meanwhile. */
  readonly holdsEvents: boolean;
  /** Events at the end that an operator may still hold. */
  readonly heldAtEnd: number;
}

const REASONS = ['evicted', 'lagged', 'unknown'];

export interface Verdict {
  /** What is wrong, in sentences. */
  readonly faults: readonly string[];
  /** Events that may still come; when nothing more comes, they were lost in silence. */
  readonly missing: readonly number[];
}

/**
 * The oracle: judges the history of one client and one channel.
 *
 * What came, and what was told to be missing, is everything since the client began, but for what its store
 * lost; nothing comes twice; each stretch that is missing is told of before the next event; a gap is told
 * only where the log cannot prove that nothing is missing.
 */
export function judge(
  seen: readonly Seen[],
  published: readonly Published[],
  ids: ReadonlyMap<string, number>,
  rules: Rules,
): Verdict {
  const faults: string[] = [];
  const came = new Set<number>();
  const told = new Set<number>();
  /** Everything up to here is none of the client's business. */
  let since = Infinity;
  /** The newest event that came, for the order. */
  let last: number | undefined;
  /** Up to where the client knows that it has all, or was told; undefined where that cannot be said. */
  let position: number | undefined;
  let hasGap = false;

  const isDue = ({ number, outcome, isLost, isHidden }: Published): boolean =>
    outcome === 'stored' &&
    !isLost &&
    number > since &&
    !(isHidden && rules.hidesEvents) &&
    !came.has(number) &&
    !told.has(number);
  const due = (upTo: number): number[] =>
    published
      .slice(0, upTo)
      .filter(isDue)
      .map(({ number }) => number);

  const event = (number: number, stored: number): void => {
    const { outcome, isLost } = published[number - 1] ?? { outcome: 'rejected', isLost: false };
    if (outcome === 'rejected') faults.push(`${number} came although it was not published`);
    // What an operator has held of a log that is lost comes out after the gap that tells of it.
    if (hasGap && isLost && rules.holdsEvents) {
      came.add(number);
      return;
    }
    if (last !== undefined && number <= last) {
      faults.push(came.has(number) ? `${number} came twice` : `${number} came after ${last}`);
    }
    if (last === undefined && !hasGap && !rules.replaysAll && number <= stored)
      faults.push(`${number} came although it was published before`);
    const missing = due(number - 1);
    if (missing.length > 0)
      faults.push(`${missing.join(', ')} did not come before ${number}, and no gap was told`);
    came.add(number);
    for (const one of missing) told.add(one); // one fault is enough
    last = position = Math.max(last ?? 0, number);
  };

  const gap = (one: Extract<Seen, { kind: 'gap' }>): void => {
    const oldest = one.oldest === null ? undefined : ids.get(one.oldest);
    const requested = ids.get(one.requested);
    const from = requested ?? position;
    /** What is missing ends here; undefined where the gap names no event that was published. */
    const upTo = one.oldest === null ? ids.get(one.latest) : oldest === undefined ? undefined : oldest - 1;
    const says = `a gap "${one.reason}" from ${from ?? 'the beginning'} to ${upTo ?? 'the present'}`;
    hasGap = true;

    if (!REASONS.includes(one.reason)) faults.push(`${says} has no reason that there is`);
    if (one.oldest !== null && oldest === undefined && !published.some(({ outcome }) => outcome === 'unsure'))
      faults.push(`${says} names an oldest event that is none`);
    const latest = ids.get(one.latest);
    if (oldest !== undefined && latest !== undefined && latest < oldest)
      faults.push(`${says} names ${latest} as the latest event, which is before the oldest`);
    if (!rules.mayForget) {
      if (one.reason === 'unknown') faults.push(`${says}, although its log was never lost`);
      if (Math.max((from ?? 0) + 1, upTo ?? 0) > one.goneUpTo)
        faults.push(`${says}, although at most ${one.goneUpTo} was let go of`);
    }
    if (
      !rules.mayLose &&
      one.reason !== 'unknown' &&
      from !== undefined &&
      upTo !== undefined &&
      upTo <= from
    )
      faults.push(`${says}, although nothing is missing`);
    if (one.reason === 'lagged' && one.keepsUp) faults.push(`${says} for a client that keeps up`);

    for (let number = (from ?? 0) + 1; number <= (upTo ?? one.newest); number++) told.add(number);
    // A log that has forgotten what the client had begins anew with all that it has.
    if (rules.mayForget && upTo !== undefined && last !== undefined && upTo < last) {
      last = upTo;
      for (const number of came) if (number > upTo) came.delete(number);
    }
    if (!rules.holdsEvents && upTo !== undefined) last = Math.max(last ?? 0, upTo);
    position = upTo;
  };

  let stored = 0;
  for (const one of seen) {
    if (one.kind === 'began') [since, stored] = [one.newest, one.stored];
    else if (one.kind === 'event') event(one.number, stored);
    else gap(one);
  }
  const missing = due(published.length);
  return { faults, missing: missing.slice(0, Math.max(0, missing.length - rules.heldAtEnd)) };
}
