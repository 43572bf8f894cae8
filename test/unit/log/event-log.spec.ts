import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EventLog } from '../../../src/sse/log/event-log.js';
import { newMark } from '../../../src/sse/backplanes/common/mark.js';
import type { Position } from '../../../src/sse/protocol/position.js';
import type { HistoryOptions } from '../../../src/sse/sse.options.js';
import { BIRTH, entriesOf, nextEntry, NO_LIMITS, positionOf, publish } from '../log-entries.js';
import { history, Model, take, type Step } from '../log-model.js';

/** A log with its model beside it, after the same steps. */
function after(
  limits: Required<HistoryOptions>,
  steps: readonly Step[],
): { log: EventLog; model: Model; offsets: number[] } {
  const [log, model] = [new EventLog(BIRTH, limits), new Model(limits)];
  for (const step of steps) take(log, model, step);
  return { log, model, offsets: model.kept.map(({ offset }) => offset) };
}

function expectSame(log: EventLog, model: Model): void {
  const { kept, head, floor, bytes, clearedAt } = model;
  expect({
    head: log.head,
    floor: log.floor,
    bytes: log.bytes,
    size: log.size,
    clearedAt: log.clearedAt,
  }).toEqual({ head, floor, bytes, size: kept.length, clearedAt });
  expect(Array.from({ length: log.size }, (_, i) => log.at(i))).toEqual(kept);
  expect([log.at(-1), log.at(log.size)]).toEqual([undefined, undefined]);
}

/** The offsets that follow another, as one who reads the log finds them. */
const following = (log: EventLog, offset: number): number[] =>
  [...log.entriesAfter(offset)].map((entry) => entry.offset);

const offsetsOf = (entries: readonly Position[]): number[] => entries.map(({ offset }) => offset);

describe('a log', () => {
  it('keeps the newest events that its limits have room for, and knows where they begin', () => {
    fc.assert(
      fc.property(history, ([limits, steps]) => {
        const [log, model] = [new EventLog(BIRTH, limits), new Model(limits)];
        for (const step of steps) {
          take(log, model, step);
          expectSame(log, model);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('hands out everything after an offset, also where offsets have holes', () => {
    fc.assert(
      fc.property(history, ([limits, steps]) => {
        const { log, offsets } = after(limits, steps);
        for (let offset = -1; offset <= log.head.offset + 1; offset++) {
          expect(following(log, offset)).toEqual(offsets.filter((at) => at > offset));
        }
      }),
    );
  });

  it('says from where the last n events lead up to a position, which it holds', () => {
    fc.assert(
      fc.property(history, fc.nat(), ([limits, steps], place) => {
        const { log, model } = after(limits, steps);
        const held = [log.floor, ...model.kept.map(positionOf), log.head];
        const position = held[place % held.length]!;
        const earlier = offsetsOf(model.kept).filter((offset) => offset <= position.offset);
        for (const n of [0, 1, 2, 5, log.size, log.size + 1, Infinity]) {
          const from = log.before(n, position);
          expect(log.has(from)).toBe(true);
          const read = following(log, from.offset).filter((offset) => offset <= position.offset);
          expect(read).toEqual(n === 0 ? [] : earlier.slice(-n));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('what a log holds', () => {
  it('is the events that it keeps and the last that it let go of: nothing that follows these is missing', () => {
    fc.assert(
      fc.property(history, ([limits, steps]) => {
        const { log, model } = after(limits, steps);
        for (const entry of model.all) {
          const isHeld = model.kept.includes(entry) || entry.mark === model.floor.mark;
          expect(log.has(entry)).toBe(isHeld);
          const reason = entry.offset < model.floor.offset ? 'evicted' : 'unknown';
          expect(log.missing(entry)).toBe(isHeld ? undefined : reason);
        }
        expect([log.has(log.floor), log.has(log.head)]).toEqual([true, true]);
      }),
      { numRuns: 300 },
    );
  });

  it('is its birth until it has let go of something', () => {
    fc.assert(
      fc.property(history, ([limits, steps]) => {
        const { log, model } = after(limits, steps);
        expect(log.has(BIRTH)).toBe(model.floor === BIRTH);
        if (model.floor !== BIRTH) expect(log.missing(BIRTH)).toBe('evicted');
      }),
    );
  });

  it('is no event with another mark, wherever it is, nor one beyond its newest', () => {
    fc.assert(
      fc.property(history, ([limits, steps]) => {
        const { log } = after(limits, steps);
        for (let offset = 0; offset <= log.head.offset + 2; offset++) {
          const position = { offset, mark: newMark() };
          expect(log.has(position)).toBe(false);
          expect(log.missing(position)).toBe(offset < log.floor.offset ? 'evicted' : 'unknown');
        }
        expect(log.missing({ offset: log.head.offset + 1, mark: log.head.mark })).toBe('unknown');
      }),
    );
  });

  it('is not the mark of one event at the offset of another', () => {
    const log = new EventLog(BIRTH, NO_LIMITS);
    const [first, second] = [publish(log), publish(log)];
    expect(log.has({ offset: first.offset, mark: second.mark })).toBe(false);
    expect(log.has({ offset: 0, mark: first.mark })).toBe(false);
    expect(log.has({ offset: second.offset, mark: BIRTH.mark })).toBe(false);
  });

  it('is nothing in a hole between two offsets', () => {
    const log = new EventLog(BIRTH, NO_LIMITS);
    const first = publish(log);
    log.push(nextEntry(log.head, { hole: 2 }));
    expect(log.missing({ offset: first.offset + 1, mark: first.mark })).toBe('unknown');
  });
});

describe('a new log', () => {
  it('is at its beginning, has nothing, and is of a channel that is not there', () => {
    const log = new EventLog(BIRTH, NO_LIMITS);
    expect(log).toMatchObject({ head: BIRTH, floor: BIRTH, bytes: 0, size: 0, completed: false });
    expect(log.isAbsent).toBe(true);
    expect(log.indexAfter(0)).toBe(0);
    expect([0, 5, Infinity].map((count) => log.before(count, BIRTH))).toEqual([BIRTH, BIRTH, BIRTH]);
    expect([log.has(BIRTH), log.has({ offset: 0, mark: 'other' })]).toEqual([true, false]);
  });

  it('is of one that is there when it has an event, also after that has gone, or is completed', () => {
    const log = new EventLog(BIRTH, NO_LIMITS);
    log.clear();
    expect(log.isAbsent).toBe(true);
    publish(log);
    log.clear();
    expect(log.isAbsent).toBe(false);
    const completed = new EventLog(BIRTH, NO_LIMITS);
    completed.completed = true;
    expect(completed.isAbsent).toBe(false);
  });
});

describe('the limits of a log', () => {
  const filled = (limits: Required<HistoryOptions>, bytes: readonly number[]): EventLog => {
    const log = new EventLog(BIRTH, limits);
    bytes.forEach((size, i) => log.push(nextEntry(log.head, { bytes: size, at: i })));
    return log;
  };
  const offsets = ({ floor, head }: EventLog) => ({ floor: floor.offset, head: head.offset });

  it('leave the newest event, however large it is', () => {
    const log = filled({ ...NO_LIMITS, bytes: 50 }, [20, 20, 500]);
    expect(log).toMatchObject({ size: 1, bytes: 500 });
    expect(offsets(log)).toEqual({ floor: 2, head: 3 });
  });

  it('let go of several small ones for one large one', () => {
    const log = filled({ ...NO_LIMITS, bytes: 100 }, [20, 20, 20, 20, 60]);
    expect(log).toMatchObject({ size: 3, bytes: 100 });
    expect(offsets(log)).toEqual({ floor: 2, head: 5 });
  });

  it('let go of an event when it has reached its age, the newest too', () => {
    const log = filled({ ...NO_LIMITS, age: 100 }, [20, 20]);
    log.expire(99);
    expect(log.size).toBe(2);
    log.expire(100);
    expect({ size: log.size, ...offsets(log) }).toEqual({ size: 1, floor: 1, head: 2 });
    log.expire(101);
    expect({ size: log.size, bytes: log.bytes, ...offsets(log) }).toEqual({
      ...{ size: 0, bytes: 0 },
      ...{ floor: 2, head: 2 },
    });
  });

  it('hold over a hundred thousand events', () => {
    const log = filled({ ...NO_LIMITS, count: 10 }, Array<number>(100_000).fill(10));
    expect(log).toMatchObject({ size: 10, bytes: 100 });
    expect(offsets(log)).toEqual({ floor: 99_990, head: 100_000 });
    expect(following(log, 99_995)).toEqual([99_996, 99_997, 99_998, 99_999, 100_000]);
  });
});

describe('clearing a log', () => {
  it('leaves what comes after a position', () => {
    const log = new EventLog(BIRTH, NO_LIMITS);
    const [first, second, third] = [publish(log), publish(log), publish(log)];
    log.clear(positionOf(second));
    expect(entriesOf(log)).toEqual([third]);
    expect([first, second, third].map((entry) => log.missing(entry))).toEqual([
      ...['evicted', undefined],
      undefined,
    ]);
  });

  it('up to a position that was let go of long ago changes nothing', () => {
    const log = new EventLog(BIRTH, { ...NO_LIMITS, count: 1 });
    const [first, second, third] = [publish(log), publish(log), publish(log)];
    log.clear(positionOf(first));
    expect({ floor: log.floor, head: log.head }).toEqual({
      floor: positionOf(second),
      head: positionOf(third),
    });
  });

  it('goes on from a later position, to which an event that comes then leads', () => {
    const log = new EventLog(BIRTH, NO_LIMITS);
    const first = publish(log);
    const later = { offset: 9, mark: 'later' };
    log.clear(later);
    expect(log).toMatchObject({ floor: later, head: later, size: 0 });
    expect(log.missing(first)).toBe('evicted');
    expect(publish(log)).toMatchObject({ offset: 10, previous: later });
  });
});
