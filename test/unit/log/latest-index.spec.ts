import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { EventLog, type LogEntry } from '../../../src/sse/log/event-log.js';
import { LatestIndex } from '../../../src/sse/log/latest-index.js';
import { publishedEvent } from '../../../src/sse/log/published-event.js';
import type { SseEvent } from '../../../src/sse/log/sse-event.js';
import type { KeyedEvent } from '../../../src/sse/sse.options.js';
import { entryAt, positionAt, stored } from '../stored-events.js';

/** As many keys as an index remembers. */
const MAX_KEYS = 10_000;

const LIMITS = { count: 5, bytes: Infinity, age: Infinity };

const eventOf = (entry: LogEntry): SseEvent => publishedEvent('prices', { has: () => true }, entry, 'hash');
const offsets = (entries: readonly LogEntry[]): number[] => entries.map(({ offset }) => offset);

/** A log with room for a few events, whose next one has the number after `head`. */
const logAt = (head = 0): EventLog => new EventLog(positionAt(head), LIMITS);

const indexOf = (log: EventLog, latest: (event: KeyedEvent) => unknown = ({ data }) => data): LatestIndex =>
  new LatestIndex({ latest }, log, eventOf);

/** Publishes to a log and its index, and gives what was published. */
function publish(log: EventLog, index: LatestIndex, data: readonly unknown[]): LogEntry[] {
  return data.map((each) => {
    const entry = entryAt(log.head.offset + 1, stored({ data: each }));
    log.push(entry);
    index.add(entry);
    return entry;
  });
}

/** An index over what is published one after another. */
function published(
  data: readonly unknown[],
  latest?: (event: KeyedEvent) => unknown,
): { log: EventLog; index: LatestIndex; entries: LogEntry[] } {
  const log = logAt();
  const index = indexOf(log, latest);
  return { log, index, entries: publish(log, index, data) };
}

/** What is to be handed on: an entry that no later one has the key of. */
function newest(entries: readonly LogEntry[], key: (entry: LogEntry) => unknown, after: number): LogEntry[] {
  const keys = entries.map(key);
  return entries.filter((entry, i) => entry.offset > after && !keys.includes(keys[i], i + 1));
}

describe('the index of the newest event of each key', () => {
  const key = fc.constantFrom('a', 'b', 'c', '1', 1, 0, true, null, '');

  it('has, after any offset, the newest event of each key that had one, in the order of the offsets', () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 60 }), fc.nat({ max: 1_000 }), (keys, head) => {
        const log = logAt(head);
        const index = indexOf(log);
        const entries = publish(log, index, keys);
        for (let after = head; after <= log.head.offset + 1; after++)
          expect(index.after(after)).toEqual(newest(entries, ({ offset }) => keys[offset - head - 1], after));
        expect(index.floor).toBe(head);
      }),
      { numRuns: 200 },
    );
  });

  it('begins with what the log has', () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 12 }), fc.array(key, { maxLength: 12 }), (before, keys) => {
        const log = logAt();
        const published = publish(log, indexOf(log), before);
        const floor = log.floor.offset;
        const index = indexOf(log);
        const entries = [...published.slice(floor), ...publish(log, index, keys)];
        const keyOf = ({ offset }: LogEntry): unknown => [...before, ...keys][offset - 1];
        expect(index.floor).toBe(floor);
        for (let after = floor; after <= log.head.offset; after++)
          expect(index.after(after)).toEqual(newest(entries, keyOf, after));
      }),
      { numRuns: 200 },
    );
  });

  it('has nothing of what was deleted, and says so', () => {
    fc.assert(
      fc.property(fc.array(fc.array(key, { maxLength: 12 }), { minLength: 2, maxLength: 5 }), (parts) => {
        const log = logAt();
        const index = indexOf(log);
        for (const keys of parts) {
          log.purge();
          const cleared = log.head.offset;
          expect(index.after(0)).toEqual([]);
          const entries = publish(log, index, keys);
          expect(index.floor).toBe(cleared);
          const keyOf = ({ offset }: LogEntry): unknown => keys[offset - cleared - 1];
          expect(index.after(0)).toEqual(newest(entries, keyOf, 0));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('gives the key function the event as a subscriber sees it', () => {
    const seen: KeyedEvent[] = [];
    published([{ symbol: 'A' }], (event) => seen.push(event)); // which gives each a key of its own
    expect(seen).toEqual([{ channel: 'prices', id: '1.m1hash', data: { symbol: 'A' } }]);
  });

  it('asks for the key of each event once', () => {
    let asked = 0;
    const { index } = published(['a', 'b', 'a'], () => asked++);
    index.after(0);
    index.after(1);
    expect(asked).toBe(3);
  });

  it('takes NaN, and undefined, for keys like any other', () => {
    const { index } = published([NaN, 1, NaN, 2], ({ data }) => (data === null ? NaN : undefined));
    expect(offsets(index.after(0))).toEqual([3, 4]);
  });
});

describe('an index that has more keys than it remembers', () => {
  const keys = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

  it('has all of them while there is room, and says so', () => {
    const { index } = published(keys(MAX_KEYS));
    expect([index.floor, index.after(0).length]).toEqual([0, MAX_KEYS]);
  });

  it('lets go of the key that was published to longest ago, and has everything after its floor', () => {
    const again = [0, 1, 2]; // so that they are not the oldest any more
    const data = [...keys(MAX_KEYS), ...again, 'new', 'newer'];
    const { index, entries } = published(data);
    expect(index.floor).toBe(5);
    const expected = newest(entries.slice(index.floor), ({ offset }) => data[offset - 1], index.floor);
    expect(index.after(index.floor)).toEqual(expected);
    expect(index.after(0)).toEqual(expected);
  });

  it('never lets its floor pass an event that it has', () => {
    const { index } = published(keys(MAX_KEYS + 50));
    expect(index.floor).toBe(50);
    expect(index.after(0)[0]!.offset).toBe(51);
    expect(index.after(0)).toHaveLength(MAX_KEYS);
  });
});

describe('a key function that throws', () => {
  const errors: unknown[] = [];
  const failure = new Error('no symbol');
  const strict = ({ data }: KeyedEvent): unknown => {
    if (data === 'bad') throw failure;
    return data;
  };

  beforeEach(() => {
    errors.length = 0;
    Logger.overrideLogger({
      error: (error: unknown) => errors.push(error),
      log: () => undefined,
      warn: () => undefined,
    });
  });

  afterEach(() => Logger.overrideLogger(['error', 'warn']));

  it('costs no event its place: each without a key is handed on', () => {
    const { index } = published(['a', 'bad', 'a', 'bad', 'b'], strict);
    expect(offsets(index.after(0))).toEqual([2, 3, 4, 5]);
    expect(offsets(index.after(2))).toEqual([3, 4, 5]);
  });

  it('is told of in the log', () => {
    published(['bad'], strict);
    expect(errors).toEqual([failure]);
  });
});
