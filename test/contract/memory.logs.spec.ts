import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  MemoryBackplane,
  type MemoryBackplaneLimits,
} from '../../src/sse/backplanes/memory/memory.backplane.js';
import type { LogRange } from '../../src/sse/log/backplane.js';
import type { Position } from '../../src/sse/protocol/position.js';
import type { ChannelOptions } from '../../src/sse/sse.options.js';
import { storedOf } from '../unit/stored-events.js';
import { settingsOf, stored } from './backplane.contract.js';
import { entriesOf, LateReader, Listener } from './listener.js';

const PLENTY: MemoryBackplaneLimits = { channels: 1_000, historyBytes: 1_000_000 };
const KEEP_ALL: ChannelOptions = { history: { count: Infinity, bytes: Infinity } };

let backplane: MemoryBackplane;

/** What this process is given: time goes by only when a test says so. */
function start(limits: Partial<MemoryBackplaneLimits> = {}): void {
  backplane = new MemoryBackplane({ ...PLENTY, ...limits });
}

const append = (channel: string, options?: ChannelOptions): Promise<Position> =>
  backplane.append(channel, settingsOf(options), stored('x'));
const appendOf = (bytes: number, channel: string): Promise<Position> =>
  backplane.append(channel, settingsOf(KEEP_ALL), storedOf(bytes));
const follow = (channel: string, options?: ChannelOptions): Promise<Listener> =>
  new Listener(backplane, channel, settingsOf(options)).ready;
const read = (channel: string, after?: Position): Promise<LogRange> =>
  backplane.read(channel, settingsOf(), { limit: Infinity, ...(after && { after }) });
const offsetsOf = async (channel: string): Promise<number[]> =>
  (await read(channel)).entries.map(({ offset }) => offset);
/** Whether a reader at that position is told of a gap. */
const isGap = async (channel: string, position: Position): Promise<boolean> =>
  (await read(channel, position)).missing !== undefined;
const after = (milliseconds: number): unknown => jest.advanceTimersByTime(milliseconds);
const code = (code: string): unknown => expect.objectContaining({ name: 'SseError', code });

beforeEach(() => {
  jest.useFakeTimers();
  start();
});

afterEach(async () => {
  await backplane.close();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

describe('a channel in memory without publishing and without listeners', () => {
  it('is given back after its ttl, although nobody asks for it', async () => {
    await append('a', { ttl: 10_000 });
    after(15_000);
    expect(backplane.stats()).toEqual({ channels: 0, historyEvents: 0, historyBytes: 0 });
  });

  it('is there until then, and afterwards not, however late the sweep comes', async () => {
    const first = await append('a', { ttl: 10_000 });
    jest.setSystemTime(Date.now() + 9_999);
    expect(await offsetsOf('a')).toEqual([first.offset]);
    expect(await isGap('a', first)).toBe(false);
    jest.setSystemTime(Date.now() + 1);
    expect(await offsetsOf('a')).toEqual([]);
    expect(await isGap('a', first)).toBe(true);
    expect(backplane.stats().channels).toBe(0);
  });

  it.each(['append', 'follow', 'complete'] as const)(
    'has another log when it comes again by %s, which holds no position of the one before',
    async (call) => {
      const options = { ttl: 10_000 };
      const nothingYet = (await read('a')).head;
      const first = await append('a', options);
      jest.setSystemTime(Date.now() + 10_000);
      if (call === 'append') await append('a', options);
      else if (call === 'follow') await follow('a', options);
      else await backplane.complete('a', settingsOf(options));
      const { head, entries } = await read('a');
      expect(head.offset).toBe(call === 'append' ? 1 : 0);
      expect(entries).toHaveLength(head.offset);
      expect(await Promise.all([nothingYet, first, head].map((each) => isGap('a', each)))).toEqual([
        ...[true, true],
        false,
      ]);
    },
  );

  it('leaves nothing yet valid when it was only followed, and not when it was completed', async () => {
    const nothingYet = (await read('a')).head;
    const follower = await follow('a', { ttl: 10_000 });
    after(100_000);
    follower.stop();
    after(100_000);
    expect(await isGap('a', nothingYet)).toBe(false);
    await backplane.complete('a', settingsOf({ ttl: 10_000 }));
    expect(await isGap('a', nothingYet)).toBe(false);
    after(100_000);
    expect(await isGap('a', nothingYet)).toBe(true);
  });

  it('stays when it is published to in time', async () => {
    const first = await append('a', { ttl: 10_000 });
    for (let i = 0; i < 5; i++) {
      after(9_000);
      await append('a', { ttl: 10_000 });
    }
    expect(await isGap('a', first)).toBe(false);
  });

  it('stays when it is followed, and its ttl begins when the last one stops', async () => {
    const first = await append('a', { ttl: 10_000 });
    const [one, other] = [await follow('a', { ttl: 10_000 }), await follow('a', { ttl: 10_000 })];
    after(100_000);
    one.stop();
    after(100_000);
    other.stop();
    after(9_999);
    expect(await offsetsOf('a')).toEqual([first.offset]);
    after(5_000);
    expect(backplane.stats().channels).toBe(0);
  });

  it('forgets that it was completed, and not before', async () => {
    await backplane.complete('a', settingsOf({ ttl: 10_000 }));
    after(9_999);
    await expect(append('a')).rejects.toEqual(code('CHANNEL_COMPLETED'));
    after(1);
    await append('a');
  });

  it('stays for ever with a ttl of Infinity', async () => {
    const first = await append('a', { ttl: Infinity });
    after(1_000_000_000);
    expect((await append('a', { ttl: Infinity })).offset).toBe(first.offset + 1);
    expect(await isGap('a', first)).toBe(false);
  });

  it('is one of 25,000 that are all given back', async () => {
    start({ channels: 25_000 });
    for (let i = 0; i < 25_000; i++) await append(`a/${i}`, { ttl: 10_000 });
    expect(backplane.stats().channels).toBe(25_000);
    after(20_000);
    expect(backplane.stats()).toEqual({ channels: 0, historyEvents: 0, historyBytes: 0 });
  });

  it('is given back in its time also when another has a longer or a shorter ttl', async () => {
    for (const ttl of [400_000, 1_000, 60_000]) await append(`a/${ttl}`, { ttl });
    const channels: number[] = [];
    for (const time of [1_500, 80_000, 400_000]) channels.push((after(time), backplane.stats().channels));
    expect(channels).toEqual([2, 1, 0]);
  });

  it('begins anew when a reader of another publishes to it in the sweep that finds its ttl to be over', async () => {
    const follower = await follow('a', { history: { age: 100 } });
    follower.leaving = () => void append('b', { ttl: 100 });
    await append('a', { history: { age: 100 } });
    await append('b', { ttl: 100 });
    after(150);
    expect(await offsetsOf('b')).toHaveLength(1);
    expect(backplane.stats().historyEvents).toBe(1);
  });
});

describe('the age of an event in memory', () => {
  it('ends it although nobody asks for it', async () => {
    await append('a', { history: { age: 10_000 } });
    after(15_000);
    expect(backplane.stats()).toEqual({ channels: 1, historyEvents: 0, historyBytes: 0 });
  });

  it('ends it for those who read and for those who follow, however late the sweep comes', async () => {
    const options = { history: { age: 10_000 } };
    const old = await append('a', options);
    jest.setSystemTime(Date.now() + 5_000);
    const young = await append('a', options);
    jest.setSystemTime(Date.now() + 5_000);
    const follower = await follow('a', options);
    expect(follower.offsets).toEqual([young.offset]);
    expect(await read('a')).toMatchObject({ floor: old, head: young });
  });

  it('leaves the position of the last one that has gone', async () => {
    const options = { history: { age: 1_000 } };
    const [first, last] = [await append('a', options), await append('a', options)];
    after(100_000);
    expect(await read('a')).toMatchObject({ floor: last, head: last, entries: [] });
    const next = await append('a', options);
    expect(await read('a', last)).toMatchObject({ entries: [{ ...next, previous: last }] });
    expect([await isGap('a', first), await isGap('a', last)]).toEqual([true, false]);
  });

  it('ends what was not read yet only when that was offered', async () => {
    const options = { history: { age: 10_000 } };
    const reader = new LateReader(await follow('a', options));
    const first = await append('a', options);
    after(20_000);
    expect(await offsetsOf('a')).toEqual([]);
    expect(reader.taken.map(({ offset }) => offset)).toEqual([first.offset]);
  });
});

describe('a clock that is set back', () => {
  it('does not hold up ttl and age in memory', async () => {
    await append('a', { ttl: 10_000 });
    await append('b', { history: { age: 10_000 } });
    jest.setSystemTime(Date.now() - 3_600_000);
    after(9_999);
    expect([await offsetsOf('a'), await offsetsOf('b')]).toEqual([[1], [1]]);
    after(1);
    expect([await offsetsOf('a'), await offsetsOf('b')]).toEqual([[], []]);
  });
});

describe('limits.channels', () => {
  beforeEach(() => {
    start({ channels: 2 });
  });

  it('refuses the next channel, and those that are there go on', async () => {
    await append('a');
    const follower = await follow('b');
    await expect(append('c')).rejects.toEqual(code('HUB_FULL'));
    await expect(follow('c')).rejects.toEqual(code('HUB_FULL'));
    await expect(backplane.complete('c', settingsOf())).rejects.toEqual(code('HUB_FULL'));
    await Promise.all([append('a'), append('b')]);
    expect(follower.told).toHaveLength(1);
    expect(backplane.stats()).toMatchObject({ channels: 2, historyEvents: 3 });
  });

  it('is not reached by those who only look', async () => {
    for (const name of ['a', 'b', 'c', 'd']) expect(await offsetsOf(name)).toEqual([]);
    for (const name of ['a', 'b', 'c', 'd']) await backplane.purge(name);
    expect(backplane.stats().channels).toBe(0);
  });

  it('has room again when a channel is given back, however late the sweep comes', async () => {
    await append('a', { ttl: 10_000 });
    await append('b');
    jest.setSystemTime(Date.now() + 10_000);
    await append('c');
    expect(await offsetsOf('b')).toHaveLength(1);
  });

  it('has room again when nobody ever published to a channel, and those who followed it have gone', async () => {
    for (const name of ['a', 'b']) (await follow(name)).stop();
    const first = await append('c');
    after(60_000);
    (await follow('d')).stop();
    await append('e');
    expect(await isGap('c', first)).toBe(false);
  });
});

describe('limits.historyBytes', () => {
  beforeEach(() => {
    start({ historyBytes: 1_000 });
  });

  it('empties the log that was published to longest ago, and no more than it has to', async () => {
    for (const name of ['a', 'b', 'c']) await appendOf(300, name);
    after(1_000);
    await appendOf(10, 'a');
    await appendOf(300, 'd');
    expect(await Promise.all(['a', 'b', 'c', 'd'].map(offsetsOf))).toEqual([[1, 2], [], [1], [1]]);
    expect(backplane.stats()).toEqual({ channels: 4, historyEvents: 4, historyBytes: 910 });
  });

  it('leaves the newest event of an emptied log as its floor, from which it goes on', async () => {
    const first = await appendOf(600, 'a');
    const follower = await follow('a', KEEP_ALL);
    await appendOf(600, 'b');
    expect(follower.log).toMatchObject({ size: 0, floor: first, head: first });
    const next = await appendOf(20, 'a');
    expect(entriesOf(follower.log)).toMatchObject([{ ...next, previous: first }]);
  });

  it('offers what was not read yet before it is emptied for another channel', async () => {
    const reader = new LateReader(await follow('a', KEEP_ALL));
    const other = new LateReader(await follow('b', KEEP_ALL));
    const sizes = [600, 700, 800, 900];
    await Promise.all(sizes.map((bytes, i) => appendOf(bytes, i % 2 === 0 ? 'a' : 'b')));
    expect(reader.taken.map(({ event }) => event.bytes)).toEqual([600, 800]);
    expect(other.taken.map(({ event }) => event.bytes)).toEqual([700, 900]);
  });

  it('counts what readers publish to another channel when they are offered what goes', async () => {
    const follower = await follow('a', KEEP_ALL);
    const answers: Promise<Position>[] = [];
    follower.leaving = () => {
      if (answers.length < 5) answers.push(appendOf(100, answers.length % 2 === 0 ? 'a' : 'c'));
    };
    for (let n = 0; n < 12; n++) await appendOf(300, n % 3 === 0 ? 'a' : 'b');
    await Promise.all(answers);
    const entries = (await Promise.all(['a', 'b', 'c'].map((name) => read(name)))).flatMap(
      (range) => range.entries,
    );
    expect(answers.length).toBeGreaterThan(0);
    expect(backplane.stats()).toEqual({
      channels: 3,
      historyEvents: entries.length,
      historyBytes: entries.reduce((sum, { event }) => sum + event.bytes, 0),
    });
    await appendOf(300, 'b');
    expect(backplane.stats().historyBytes).toBeLessThanOrEqual(1_000);
  });

  it('shortens the log that is published to when it alone is too large', async () => {
    await appendOf(100, 'a');
    for (let i = 0; i < 50; i++) await appendOf(100, 'b');
    expect(await offsetsOf('b')).toEqual([41, 42, 43, 44, 45, 46, 47, 48, 49, 50]);
    expect(backplane.stats()).toEqual({ channels: 2, historyEvents: 10, historyBytes: 1_000 });
  });

  it('leaves the newest event, however large it is', async () => {
    await appendOf(600, 'a');
    await appendOf(5_000, 'b');
    expect(await Promise.all(['a', 'b'].map(offsetsOf))).toEqual([[], [1]]);
    await appendOf(20, 'b');
    expect(await offsetsOf('b')).toEqual([2]);
  });
});

describe('a publish id in memory', () => {
  it('is known already to those who are told of its event', async () => {
    const follower = await follow('a');
    const attempt = () => backplane.append('a', settingsOf(), stored('x'), 'id');
    const again: Promise<Position>[] = [];
    follower.appended = () => {
      if (again.length === 0) again.push(attempt());
    };
    expect([await attempt()]).toEqual(await Promise.all(again));
    expect(await offsetsOf('a')).toEqual([1]);
  });

  it('is known also when those have used it who were offered what had to go for its event', async () => {
    const options: ChannelOptions = { history: { count: 1 } };
    const attempt = () => backplane.append('a', settingsOf(options), stored('x'), 'id');
    const follower = await follow('a', options);
    const first = await append('a', options);
    const again: Promise<Position>[] = [];
    follower.leaving = () => {
      if (again.length === 0) again.push(attempt());
    };
    expect([await attempt()]).toEqual(await Promise.all(again));
    expect(follower.told).toEqual([first.offset, first.offset + 1]);
  });
});

describe('a process', () => {
  it('is not kept alive by what is in memory', async () => {
    jest.useRealTimers();
    start();
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    await append('a', { ttl: 100, history: { age: 50 } });
    const during = timers();
    await backplane.close();
    jest.useFakeTimers();
    expect(during).toBe(before);
  });
});
