import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EventLog, type LogEntry } from '../../../src/sse/hub/event-log.js';
import type { HistoryOptions } from '../../../src/sse/sse.options.js';
import { storedOf } from '../stored-events.js';

const NO_LIMITS = { count: Infinity, bytes: Infinity, age: Infinity };

type Step =
  | { readonly do: 'push'; readonly hole: number; readonly bytes: number; readonly after: number }
  | { readonly do: 'expire'; readonly after: number }
  | { readonly do: 'shrink'; readonly to: number }
  | { readonly do: 'clear' };

const push = fc.record({
  do: fc.constant('push' as const),
  hole: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 5 }) }),
  bytes: fc.integer({ min: 10, max: 40 }),
  after: fc.nat({ max: 10 }),
});
const expire = fc.record({ do: fc.constant('expire' as const), after: fc.nat({ max: 60 }) });
const shrink = fc.record({ do: fc.constant('shrink' as const), to: fc.nat({ max: 500 }) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: push },
  { weight: 2, arbitrary: expire },
  { weight: 1, arbitrary: shrink },
  { weight: 1, arbitrary: fc.constant({ do: 'clear' as const }) },
);
const limits = fc.record({
  count: fc.constantFrom(1, 2, 7, 40, Infinity),
  bytes: fc.constantFrom(1, 30, 100, 1_000, Infinity),
  age: fc.constantFrom(0.5, 1, 25, 100, Infinity),
});

/** What a log is supposed to be: an array, of which the limits cut something off the front. */
class Model {
  kept: LogEntry[] = [];
  head = 0;
  floor = 0;
  now = 1_000_000;

  constructor(readonly limits: Required<HistoryOptions>) {}

  get bytes(): number {
    return this.kept.reduce((sum, { event }) => sum + event.bytes, 0);
  }

  next({ hole, bytes }: { hole: number; bytes: number }): LogEntry {
    return { offset: this.head + 1 + hole, previous: this.head, at: this.now, event: storedOf(bytes) };
  }

  push(entry: LogEntry): void {
    this.kept.push(entry);
    this.head = entry.offset;
    const { count, bytes } = this.limits;
    this.#cut(() => this.kept.length > 1 && (this.kept.length > count || this.bytes > bytes));
    this.expire(entry.at);
  }

  shrink(bytes: number): void {
    this.#cut(() => this.kept.length > 1 && this.bytes > bytes);
  }

  expire(now: number): void {
    this.#cut(() => this.kept.length > 0 && now - this.kept[0]!.at >= this.limits.age);
  }

  clear(): void {
    this.#cut(() => this.kept.length > 0);
    this.floor = this.head;
  }

  #cut(while_: () => boolean): void {
    while (while_()) this.floor = this.kept.shift()!.offset;
  }
}

function take(log: EventLog, model: Model, step: Step): void {
  if ('after' in step) model.now += step.after;
  if (step.do === 'push') {
    const entry = model.next(step);
    for (const each of [log, model]) each.push(entry);
  } else if (step.do === 'shrink') {
    for (const each of [log, model]) each.shrink(step.to);
  } else if (step.do === 'clear') {
    for (const each of [log, model]) each.clear();
  } else {
    for (const each of [log, model]) each.expire(model.now);
  }
}

/** A log with its model beside it, after the same steps. */
function after(
  limits: Required<HistoryOptions>,
  steps: readonly Step[],
): { log: EventLog; offsets: number[] } {
  const [log, model] = [new EventLog('e', limits), new Model(limits)];
  for (const step of steps) take(log, model, step);
  return { log, offsets: model.kept.map((entry) => entry.offset) };
}

function expectSame(log: EventLog, model: Model): void {
  const { kept, head, floor, bytes } = model;
  expect({ head: log.head, floor: log.floor, bytes: log.bytes, size: log.size }).toEqual({
    head,
    floor,
    bytes,
    size: kept.length,
  });
  expect(Array.from({ length: log.size }, (_, i) => log.at(i))).toEqual(kept);
  expect([log.at(-1), log.at(log.size)]).toEqual([undefined, undefined]);
}

/** What follows an offset, as one who reads the log finds it. */
const following = (log: EventLog, offset: number): number[] =>
  Array.from(
    { length: log.size - log.indexAfter(offset) },
    (_, i) => log.at(log.indexAfter(offset) + i)!.offset,
  );

const history = fc.tuple(limits, fc.array(step, { maxLength: 150 }));

describe('a log', () => {
  it('keeps the newest events that its limits have room for, and knows where they begin', () => {
    fc.assert(
      fc.property(history, ([limits, steps]) => {
        const [log, model] = [new EventLog('e', limits), new Model(limits)];
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
        for (let offset = -1; offset <= log.head + 1; offset++) {
          expect(following(log, offset)).toEqual(offsets.filter((at) => at > offset));
        }
      }),
    );
  });

  it('says from where the last n events lead up to an offset', () => {
    fc.assert(
      fc.property(history, fc.nat(), ([limits, steps], place) => {
        const { log, offsets } = after(limits, steps);
        const offset = log.floor + (place % (log.head - log.floor + 1));
        const earlier = offsets.filter((at) => at <= offset);
        for (const n of [0, 1, 2, 5, log.size, log.size + 1, Infinity]) {
          const read = following(log, log.before(n, offset)).filter((at) => at <= offset);
          expect(read).toEqual(n === 0 ? [] : earlier.slice(-n));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('a new log', () => {
  it('is at its beginning and has nothing', () => {
    const log = new EventLog('e', NO_LIMITS);
    expect(log).toMatchObject({ epoch: 'e', head: 0, floor: 0, bytes: 0, size: 0, completed: false });
    expect([log.indexAfter(0), log.before(0, 0), log.before(5, 0), log.before(Infinity, 0)]).toEqual([
      0, 0, 0, 0,
    ]);
  });
});

describe('the limits of a log', () => {
  const filled = (limits: Required<HistoryOptions>, bytes: readonly number[]): EventLog => {
    const log = new EventLog('e', limits);
    bytes.forEach((size, i) => log.push({ offset: i + 1, previous: i, at: i, event: storedOf(size) }));
    return log;
  };

  it('leave the newest event, however large it is', () => {
    const log = filled({ ...NO_LIMITS, bytes: 50 }, [20, 20, 500]);
    expect(log).toMatchObject({ size: 1, floor: 2, head: 3, bytes: 500 });
  });

  it('let go of several small ones for one large one', () => {
    expect(filled({ ...NO_LIMITS, bytes: 100 }, [20, 20, 20, 20, 60])).toMatchObject({
      size: 3,
      floor: 2,
      bytes: 100,
    });
  });

  it('let go of an event when it has reached its age, the newest too', () => {
    const log = filled({ ...NO_LIMITS, age: 100 }, [20, 20]);
    log.expire(99);
    expect(log.size).toBe(2);
    log.expire(100);
    expect(log).toMatchObject({ size: 1, floor: 1 });
    log.expire(101);
    expect(log).toMatchObject({ size: 0, floor: 2, head: 2, bytes: 0 });
  });

  it('hold over a hundred thousand events', () => {
    const log = filled({ ...NO_LIMITS, count: 10 }, Array<number>(100_000).fill(10));
    expect(log).toMatchObject({ size: 10, floor: 99_990, head: 100_000, bytes: 100 });
    expect(following(log, 99_995)).toEqual([99_996, 99_997, 99_998, 99_999, 100_000]);
  });
});
