/**
 * LMDB's native part is loaded once in a process, and with it the JavaScript of the first spec that does so.
 *
 * @jest-environment-options {"globalsCleanup": "off"}
 */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { lmdbBackplane } from '../../src/sse/backplanes/lmdb/index.js';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import { moduleSettings, type ChannelSettings } from '../../src/sse/sse.settings.js';
import { onlyDate } from '../support/fake-timers.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { storedOf } from '../unit/stored-events.js';
import { settingsOf } from './backplane.contract.js';
import { Listener } from './listener.js';
import { copyOf, entriesOnDisk, rangeOf } from './lmdb.js';

const LIMITS = { ...moduleSettings().limits, channels: 100, historyBytes: 500 };

/** Channels of all kinds. */
const channels: Record<string, ChannelSettings> = {
  all: settingsOf({ history: { count: Infinity, bytes: Infinity }, ttl: Infinity }),
  few: settingsOf({ history: { count: 2 } }),
  small: settingsOf({ history: { bytes: 100 } }),
  short: settingsOf({ history: { age: 100 } }),
  fleeting: settingsOf({ ttl: 100 }),
  none: settingsOf({ history: 0, ttl: 300 }),
};
const names = Object.keys(channels);

/** A directory, the backplane that has it, and who follows. */
interface World {
  backplane: SseBackplane;
  readonly path: string;
  readonly following: { readonly name: string; readonly listener: Listener }[];
  /** What was begun while the next was not kept waiting. */
  readonly begun: Promise<unknown>[];
}

/** What was begun and is not awaited, if so it is. */
type Operation = (world: World) => unknown;

const channel = fc.constantFrom(...names);
const onChannel = (operate: (name: string) => Operation): fc.Arbitrary<Operation> => channel.map(operate);

const append = fc.tuple(channel, fc.integer({ min: 9, max: 200 })).map(([name, bytes]): Operation => {
  return ({ backplane, begun }) =>
    void begun.push(backplane.append(name, channels[name]!, storedOf(bytes)).catch(() => undefined));
});
const follow = onChannel((name) => async ({ backplane, following }) => {
  following.push({ name, listener: await new Listener(backplane, name, channels[name]!).ready });
});
const stop: Operation = ({ following }) => following.shift()?.listener.stop();
const purge = onChannel(
  (name) =>
    ({ backplane, begun }) =>
      void begun.push(backplane.purge(name).catch(() => undefined)),
);
const complete = onChannel((name) => ({ backplane, begun }) => {
  begun.push(backplane.complete(name, channels[name]!).catch(() => undefined));
});
const wait = fc.nat({ max: 150 }).map(
  (time): Operation =>
    () =>
      jest.setSystemTime(Date.now() + time),
);
const restart: Operation = async (world) => {
  await world.backplane.close();
  world.following.length = 0;
  ({ backplane: world.backplane } = await lmdbBackplane({ path: world.path })(LIMITS));
};

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 12, arbitrary: append },
  { weight: 2, arbitrary: follow },
  { weight: 2, arbitrary: fc.constant(stop) },
  { weight: 1, arbitrary: purge },
  { weight: 1, arbitrary: complete },
  { weight: 2, arbitrary: wait },
  { weight: 1, arbitrary: fc.constant(restart) },
);

/** What `stats()` says, and what there is when one looks everywhere. */
async function accounts({ backplane }: World) {
  const ranges = await Promise.all(names.map((name) => rangeOf(backplane, name)));
  const entries = ranges.flatMap(({ entries }) => entries);
  return {
    stats: backplane.stats(),
    events: entries.length,
    bytes: entries.reduce((sum, { event }) => sum + event.bytes, 0),
  };
}

beforeEach(() => {
  jest.useFakeTimers(onlyDate);
});

afterEach(() => {
  jest.useRealTimers();
});

describe('the accounts of the LMDB backplane', () => {
  it('are what is on its disk and in its copies, whatever was done, and never more than it may hold', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
        const path = await temporaryFolder();
        const world: World = { path, following: [], begun: [], ...(await lmdbBackplane({ path })(LIMITS)) };
        for (const operate of operations) {
          await operate(world);
          expect(world.backplane.stats().historyBytes).toBeLessThanOrEqual(LIMITS.historyBytes);
        }
        // A commit is on the disk a moment before it is in the accounts.
        await Promise.all(world.begun);
        const { stats, events, bytes } = await accounts(world);
        // What has outlived its time may be there until the next sweep, but is not shown.
        expect(stats.historyEvents).toBeGreaterThanOrEqual(events);
        expect(stats.historyBytes).toBeGreaterThanOrEqual(bytes);
        for (const { name, listener } of world.following) {
          const range = await rangeOf(world.backplane, name);
          listener.log.expire(Date.now());
          expect(copyOf(listener)).toEqual(range);
        }
        // When all of it is gone, there is nothing left in the accounts.
        for (const { listener } of world.following) listener.stop();
        for (const name of names) {
          // Who follows a channel that is over makes it anew, and takes the old one from the accounts.
          (await new Listener(world.backplane, name, channels[name]!).ready).stop();
          await world.backplane.purge(name);
        }
        expect(world.backplane.stats()).toMatchObject({ historyEvents: 0, historyBytes: 0 });
        await world.backplane.close();
        expect(await entriesOnDisk(path)).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
