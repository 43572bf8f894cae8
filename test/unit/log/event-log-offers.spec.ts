import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EventLog, type LogEntry } from '../../../src/sse/log/event-log.js';
import type { Position } from '../../../src/sse/protocol/position.js';
import type { HistoryOptions } from '../../../src/sse/sse.options.js';
import { BIRTH, entriesOf, NO_LIMITS, positionOf, publish } from '../log-entries.js';
import { history, limits, Model, take } from '../log-model.js';

const offsetsOf = (entries: readonly Position[]): number[] => entries.map(({ offset }) => offset);

describe('an entry that was not offered yet', () => {
  /** Reads only when it is offered something, and in the end. */
  class Reader {
    readonly taken: LogEntry[] = [];
    offers = 0;
    readonly log: EventLog;

    /** @param then what it does when it has read, and `before`: what another reader does whose turn is earlier */
    constructor(
      limits: Required<HistoryOptions>,
      then?: (log: EventLog, offers: number) => void,
      before?: (log: EventLog) => void,
    ) {
      this.log = new EventLog(BIRTH, limits, () => {
        this.offers++;
        before?.(this.log);
        this.read();
        then?.(this.log, this.offers);
      });
    }

    read(): LogEntry[] {
      this.taken.push(...this.log.entriesAfter(this.taken.at(-1)?.offset ?? 0));
      return this.taken;
    }
  }

  it('is offered before it goes, whatever lets it go', () => {
    fc.assert(
      fc.property(history, ([limits, steps]) => {
        const reader = new Reader(limits);
        const model = new Model(limits);
        for (const step of steps) take(reader.log, model, step);
        expect(reader.read()).toEqual(model.all);
      }),
      { numRuns: 300 },
    );
  });

  it('is offered together with all that came after it, once', () => {
    const reader = new Reader({ ...NO_LIMITS, count: 100 });
    for (let n = 0; n < 1_000; n++) publish(reader.log);
    expect(reader.offers).toBe(9);
  });

  it('stays while it is offered: what one reader publishes then pushes out nothing that another has not had', () => {
    fc.assert(
      fc.property(limits, fc.array(fc.nat({ max: 4 }), { maxLength: 60 }), (limits, answers) => {
        const published: LogEntry[] = [];
        const next = (log: EventLog): unknown => published.push(publish(log, { at: published.length }));
        const reader = new Reader(limits, undefined, (log) => {
          for (let n = answers.pop() ?? 0; n > 0; n--) next(log);
        });
        for (let n = 0; n < 60; n++) next(reader.log);
        published.sort((a, b) => a.offset - b.offset);
        expect(reader.read()).toEqual(published);
      }),
      { numRuns: 300 },
    );
  });

  it('leaves the log within its limits again when the next event comes', () => {
    const { log } = new Reader({ ...NO_LIMITS, count: 2 }, (log, offers) => {
      if (offers === 1) for (let n = 0; n < 5; n++) publish(log);
    });
    for (let n = 0; n < 3; n++) publish(log);
    expect(log.size).toBeGreaterThan(2);
    publish(log);
    expect(log.size).toBe(2);
  });

  it('comes to an end with a reader that publishes for each event that it is offered', () => {
    const reader: Reader = new Reader({ ...NO_LIMITS, count: 1 }, (log) => publish(log));
    for (let n = 0; n < 100; n++) publish(reader.log);
    expect(offsetsOf(reader.read())).toEqual(Array.from({ length: reader.log.head.offset }, (_, i) => i + 1));
    expect(reader.log.head.offset).toBeLessThan(300);
    expect(reader.log.size).toBeLessThan(5);
  });

  it('is offered before a purge, of which what is published meanwhile is no part', () => {
    const reader = new Reader({ ...NO_LIMITS, count: 1 }, (log) => {
      publish(log);
      publish(log);
    });
    const first = publish(reader.log);
    reader.log.clear();
    expect(reader.log.floor).toEqual(positionOf(first));
    expect(offsetsOf(entriesOf(reader.log))).toEqual([2, 3]);
    expect(offsetsOf(reader.read())).toEqual([1, 2, 3]);
  });

  it('is offered before a purge together with what was offered before: some could not take that then', () => {
    const offered: number[][] = [];
    const log = new EventLog(BIRTH, { ...NO_LIMITS, count: 3 }, () => {
      offered.push(offsetsOf(entriesOf(log)));
    });
    for (let n = 0; n < 5; n++) publish(log);
    log.clear();
    expect(offered).toEqual([
      [1, 2, 3],
      [3, 4, 5],
    ]);
  });

  it('is offered also to a reader that has all of it cleared', () => {
    const reader = new Reader({ ...NO_LIMITS, count: 2 }, (log) => log.clear());
    for (let n = 0; n < 5; n++) publish(reader.log);
    expect(offsetsOf(reader.read())).toEqual([1, 2, 3, 4, 5]);
    expect(reader.log).toMatchObject({ size: 1, bytes: 10 });
  });
});
