import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { rangeOf } from '../../../src/sse/log/backplane.js';
import { EventLog, type LogEntry } from '../../../src/sse/log/event-log.js';
import { newMark } from '../../../src/sse/backplanes/common/mark.js';
import type { Position } from '../../../src/sse/protocol/position.js';
import { BIRTH, entriesOf, nextEntry, NO_LIMITS, positionOf } from '../log-entries.js';

/** A log that has let go of some events, whose offsets have holes. */
const filled = fc
  .record({ count: fc.integer({ min: 1, max: 12 }), holes: fc.array(fc.nat({ max: 2 }), { maxLength: 25 }) })
  .map(({ count, holes }) => {
    const log = new EventLog(BIRTH, { ...NO_LIMITS, count });
    const all: LogEntry[] = [];
    for (const hole of holes) {
      const entry = nextEntry(log.head, { hole });
      all.push(entry);
      log.push(entry);
    }
    return { log, all };
  });

/** A position of that log, of another one, or none. */
const place = fc.oneof(
  fc.constant(undefined),
  fc.record({ index: fc.nat({ max: 25 }), isOfAnother: fc.constantFrom(false, false, true) }),
);
const query = fc.record({
  after: place,
  upTo: place,
  limit: fc.oneof(fc.nat({ max: 15 }), fc.constant(Infinity)),
});

function positionIn(
  all: readonly LogEntry[],
  place: { index: number; isOfAnother: boolean } | undefined,
): Position | undefined {
  if (!place) return undefined;
  const position = positionOf([BIRTH, ...all][place.index % (all.length + 1)]!);
  return place.isOfAnother ? { ...position, mark: newMark() } : position;
}

describe('a part of a log', () => {
  it('is what lies between the positions that the log holds, as much as was asked for', () => {
    fc.assert(
      fc.property(filled, query, ({ log, all }, { limit, ...places }) => {
        const after = positionIn(all, places.after);
        const upTo = positionIn(all, places.upTo);
        const { entries, missing, floor, head } = rangeOf(log, {
          limit,
          ...(after && { after }),
          ...(upTo && { upTo }),
        });
        const from = after && log.has(after) ? after.offset : -1;
        const to = upTo && log.has(upTo) ? upTo.offset : Infinity;
        const between = entriesOf(log).filter(({ offset }) => offset > from && offset <= to);
        const newest = limit === 0 ? [] : between.slice(-limit);
        expect(entries).toEqual(after ? between.slice(0, limit) : newest);
        expect(missing).toBe((after && log.missing(after)) ?? (upTo && log.missing(upTo)));
        expect({ floor, head }).toEqual({ floor: log.floor, head: log.head });
      }),
      { numRuns: 1_000 },
    );
  });

  it('leads from page to page in both directions, without a hole or a double', () => {
    fc.assert(
      fc.property(filled, fc.integer({ min: 1, max: 5 }), ({ log }, limit) => {
        const forth: LogEntry[] = [];
        for (let after = log.floor; ; after = positionOf(forth.at(-1)!)) {
          const { entries, missing } = rangeOf(log, { after, limit });
          expect(missing).toBeUndefined();
          if (entries.length === 0) break;
          forth.push(...entries);
        }
        const back: LogEntry[] = [];
        for (let upTo = log.head; ; upTo = back[0]!.previous) {
          const { entries, missing } = rangeOf(log, { upTo, limit });
          expect(missing).toBeUndefined();
          if (entries.length === 0) break;
          back.unshift(...entries);
        }
        expect([forth, back]).toEqual([entriesOf(log), entriesOf(log)]);
      }),
    );
  });

  it('of a log that is not there is nothing', () => {
    const log = new EventLog(BIRTH, NO_LIMITS);
    const nothing = { floor: BIRTH, head: BIRTH, entries: [] };
    expect(rangeOf(log, { limit: 5 })).toMatchObject({ ...nothing, missing: undefined });
    expect(rangeOf(log, { after: BIRTH, limit: 5 })).toMatchObject({ ...nothing, missing: undefined });
    expect(rangeOf(log, { upTo: BIRTH, limit: 5 })).toMatchObject({ ...nothing, missing: undefined });
    for (const position of [
      { offset: 0, mark: 'other' },
      { offset: 7, mark: BIRTH.mark },
    ])
      for (const query of [{ after: position }, { upTo: position }])
        expect(rangeOf(log, { ...query, limit: 5 })).toMatchObject({ ...nothing, missing: 'unknown' });
  });
});
