/**
 * LMDB's native part is loaded once in a process, and with it the JavaScript of the first spec that does so.
 *
 * @jest-environment-options {"globalsCleanup": "off"}
 */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PUBLISH_ID_MEMORY, type LogRange, type SseBackplane } from '../../src/sse/log/backplane.js';
import type { Position } from '../../src/sse/protocol/position.js';
import type { ChannelOptions, SseLimits } from '../../src/sse/sse.options.js';
import { eventually } from '../support/eventually.js';
import { onlyDate } from '../support/fake-timers.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { storedOf } from '../unit/stored-events.js';
import { settingsOf, stored } from './backplane.contract.js';
import { Listener } from './listener.js';
import { copyOf, crashedCopyOf, entriesOnDisk, openLmdb, rangeOf } from './lmdb.js';

const KEEP_ALL: ChannelOptions = { history: { count: Infinity, bytes: Infinity } };
const code = (code: string): unknown => expect.objectContaining({ name: 'SseError', code });

let path: string;
let backplane: SseBackplane;

/** Sets the clock forward; the sweep comes when its timer is due by the real one. */
const after = (milliseconds: number): unknown => jest.setSystemTime(Date.now() + milliseconds);

async function restart(limits?: SseLimits): Promise<void> {
  await backplane.close();
  backplane = await openLmdb(path, limits);
}

const append = (channel: string, options?: ChannelOptions): Promise<Position> =>
  backplane.append(channel, settingsOf(options), stored('x'));
const appendOf = (bytes: number, channel: string): Promise<Position> =>
  backplane.append(channel, settingsOf(KEEP_ALL), storedOf(bytes));
const follow = (channel: string, options?: ChannelOptions): Promise<Listener> =>
  new Listener(backplane, channel, settingsOf(options)).ready;
const all = (channel: string): Promise<LogRange> => rangeOf(backplane, channel);
const offsetsOf = async (channel: string): Promise<number[]> =>
  (await all(channel)).entries.map(({ offset }) => offset);
/** Whether a channel is not there. */
const isAbsent = async (channel: string): Promise<boolean> => (await all(channel)).head.offset === 0;

beforeEach(async () => {
  jest.useFakeTimers(onlyDate);
  path = await temporaryFolder();
  backplane = await openLmdb(path);
});

afterEach(() => {
  jest.useRealTimers();
});

describe('a channel on the disk without publishing and without listeners', () => {
  it('is there for its ttl, and afterwards not, however late the sweep comes', async () => {
    const first = await append('a', { ttl: 10_000 });
    after(9_999);
    expect(await offsetsOf('a')).toEqual([first.offset]);
    after(1);
    expect(await isAbsent('a')).toBe(true);
  });

  it.each(['append', 'follow', 'complete'] as const)(
    'is another one when it comes again by %s, which knows no position of the one before',
    async (call) => {
      const options = { ttl: 10_000 };
      const { floor: nothingYet } = await all('a');
      const position = await append('a', options);
      after(10_000);
      if (call === 'append') await append('a', options);
      else if (call === 'follow') await follow('a', options);
      else await backplane.complete('a', settingsOf(options));
      for (const former of [nothingYet, position]) {
        const range = await backplane.read('a', settingsOf(), { after: former, limit: 5 });
        expect(range.missing).toBe('unknown');
        expect(range.entries).toHaveLength(call === 'append' ? 1 : 0);
      }
      expect(backplane.stats()).toMatchObject({ channels: 1, historyEvents: call === 'append' ? 1 : 0 });
    },
  );

  it('is handed over as it is to those who follow it anew while others publish to it anew', async () => {
    const options = { ttl: 10_000 };
    await append('a', options);
    after(10_000);
    const [follower, position] = await Promise.all([follow('a', options), append('a', options)]);
    expect(follower.log.head).toEqual(position);
    const next = await append('a', options);
    expect(follower.offsets).toEqual([position.offset, next.offset]);
    expect(copyOf(follower)).toEqual(await all('a'));
  });

  it('is given back although nobody asks for it, with all its events', async () => {
    for (let n = 0; n < 3_000; n++) void append('a', { ttl: 40, ...KEEP_ALL });
    await append('b');
    after(40);
    await eventually(() => backplane.stats().channels === 1);
    expect(backplane.stats().historyEvents).toBe(1);
    // Some in each step, and the rest in the next process if this one ends before.
    await eventually(async () => {
      await restart();
      for (let n = 0; n < 10; n++) await append('b');
      const { historyEvents } = backplane.stats();
      await backplane.close();
      return (await entriesOnDisk(path)) === historyEvents;
    });
  });

  it('stays while it is followed, and its ttl begins when the last one stops', async () => {
    const { offset } = await append('a', { ttl: 10_000 });
    const [one, other] = [await follow('a', { ttl: 10_000 }), await follow('a', { ttl: 10_000 })];
    after(100_000);
    one.stop();
    after(100_000);
    other.stop();
    after(9_999);
    expect(await offsetsOf('a')).toEqual([offset]);
    after(1);
    expect(await isAbsent('a')).toBe(true);
  });

  it('forgets that it was completed, and not before', async () => {
    await backplane.complete('a', settingsOf({ ttl: 10_000 }));
    after(9_999);
    await expect(append('a')).rejects.toEqual(code('CHANNEL_COMPLETED'));
    after(1);
    await append('a');
  });
});

describe('time that goes by while no process runs', () => {
  it('counts for the ttl', async () => {
    const [short, long] = [await append('short', { ttl: 10_000 }), await append('long', { ttl: 20_000 })];
    await backplane.close();
    after(10_000);
    backplane = await openLmdb(path);
    expect(await isAbsent('short')).toBe(true);
    expect([long.offset, (await append('long')).offset]).toEqual([1, 2]);
    expect([short.offset, (await append('short')).offset]).toEqual([1, 1]);
  });

  it('has the next process give back what is over, although nobody asks for it', async () => {
    await append('a', { ttl: 100 });
    await backplane.close();
    after(100);
    backplane = await openLmdb(path);
    await eventually(() => backplane.stats().channels === 0);
  });

  it('counts for the age of events', async () => {
    const options = { history: { age: 10_000 } };
    await append('a', options);
    after(5_000);
    const young = await append('a', options);
    await backplane.close();
    after(5_000);
    backplane = await openLmdb(path);
    expect(await offsetsOf('a')).toEqual([young.offset]);
    expect((await follow('a', options)).offsets).toEqual([young.offset]);
  });

  it('counts for publish ids', async () => {
    const attempt = () => backplane.append('a', settingsOf(), stored('x'), 'id');
    const first = await attempt();
    after(PUBLISH_ID_MEMORY - 1);
    await restart();
    expect(await attempt()).toEqual(first);
    after(1);
    await restart();
    expect((await attempt()).offset).toBe(first.offset + 1);
  });

  it('does not end a channel that was quiet, but followed until then', async () => {
    const options = { ttl: 200 };
    const position = await append('a', options);
    await follow('a', options);
    after(200);
    await eventually(async () => {
      const next = await openLmdb(await crashedCopyOf(path));
      const { head } = await rangeOf(next, 'a');
      await next.close();
      return head.mark === position.mark;
    });
  });
});

describe('a clock that is set back', () => {
  it('does not hold up ttl and age', async () => {
    await append('a', { ttl: 10_000 });
    const follower = await follow('b', { history: { age: 10_000 } });
    await append('b', { history: { age: 10_000 } });
    after(-3_600_000);
    jest.advanceTimersByTime(9_999);
    expect([await offsetsOf('a'), await offsetsOf('b')]).toEqual([[1], [1]]);
    jest.advanceTimersByTime(1);
    expect([await isAbsent('a'), await offsetsOf('b')]).toEqual([true, []]);
    await eventually(() => follower.log.size === 0);
  });

  it('does not hold them up while no process runs', async () => {
    await append('a', { ttl: 10_000 });
    await append('b', { history: { age: 10_000 } });
    await backplane.close();
    after(-3_600_000);
    backplane = await openLmdb(path);
    jest.advanceTimersByTime(9_999);
    expect([await offsetsOf('a'), await offsetsOf('b')]).toEqual([[1], [1]]);
    jest.advanceTimersByTime(1);
    expect([await isAbsent('a'), await offsetsOf('b')]).toEqual([true, []]);
  });
});

describe('limits.channels on the disk', () => {
  beforeEach(() => restart({ channels: 2 }));

  it('refuses the next channel, and those that are there go on, also after a restart', async () => {
    await append('a');
    await append('b');
    await restart({ channels: 2 });
    await expect(append('c')).rejects.toEqual(code('HUB_FULL'));
    await expect(follow('c')).rejects.toEqual(code('HUB_FULL'));
    await expect(backplane.complete('c', settingsOf())).rejects.toEqual(code('HUB_FULL'));
    await Promise.all([append('a'), append('b')]);
    expect(backplane.stats()).toMatchObject({ channels: 2, historyEvents: 4 });
  });

  it('has room again for what is idle, and when nobody follows any more what is not there', async () => {
    await append('a', { ttl: 10_000 });
    (await follow('b')).stop();
    after(10_000);
    await Promise.all([append('c'), append('d')]);
    await expect(append('e')).rejects.toEqual(code('HUB_FULL'));
  });
});

describe('limits.historyBytes on the disk', () => {
  beforeEach(() => restart({ historyBytes: 1_000 }));

  it('empties the log that was published to longest ago, also after a restart', async () => {
    for (const name of ['c', 'b', 'a']) {
      await appendOf(300, name);
      after(1);
    }
    await restart({ historyBytes: 1_000 });
    await appendOf(10, 'c');
    await appendOf(300, 'd');
    expect(await Promise.all(['a', 'b', 'c', 'd'].map(offsetsOf))).toEqual([[1], [], [1, 2], [1]]);
    expect(backplane.stats()).toEqual({ channels: 4, historyEvents: 4, historyBytes: 910 });
  });

  it('holds for what is published at once, and for the copies of those who follow', async () => {
    const [one, other] = [await follow('a', KEEP_ALL), await follow('b', KEEP_ALL)];
    await Promise.all([appendOf(600, 'a'), appendOf(600, 'b'), appendOf(300, 'b'), appendOf(200, 'b')]);
    expect(await offsetsOf('a')).toEqual([]);
    expect(await offsetsOf('b')).toEqual([2, 3]);
    expect(copyOf(one)).toEqual(await all('a'));
    expect(copyOf(other)).toEqual(await all('b'));
    expect([one.told, other.told]).toEqual([[1], [1, 2, 3]]);
  });

  it('leaves the newest event, however large it is', async () => {
    await appendOf(600, 'a');
    await appendOf(5_000, 'b');
    expect(await Promise.all(['a', 'b'].map(offsetsOf))).toEqual([[], [1]]);
  });
});

describe('maxPending', () => {
  it('refuses what would wait beyond it, and nothing else', async () => {
    await backplane.close();
    backplane = await openLmdb(path, {}, { maxPending: 3 });
    const outcomes = await Promise.allSettled([
      append('a'),
      append('a'),
      append('b'),
      append('a'),
      follow('a'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...Array<string>(3).fill('fulfilled'),
      ...Array<string>(2).fill('rejected'),
    ]);
    expect(outcomes.slice(3)).toEqual([
      { status: 'rejected', reason: code('PUBLISH_REJECTED') },
      { status: 'rejected', reason: code('BACKPLANE_AWAY') },
    ]);
    await append('a');
    expect(await offsetsOf('a')).toHaveLength(3);
  });
});
