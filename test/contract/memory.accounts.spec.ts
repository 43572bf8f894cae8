import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { MemoryBackplane } from '../../src/sse/backplanes/memory/memory.backplane.js';
import type { FollowedLog, LogFollower } from '../../src/sse/log/backplane.js';
import type { ChannelSettings } from '../../src/sse/sse.settings.js';
import { storedOf } from '../unit/stored-events.js';
import { settingsOf } from './backplane.contract.js';

const HISTORY_BYTES = 500;
const nobody: LogFollower = {
  appended: () => undefined,
  completed: () => undefined,
  moved: () => undefined,
  leaving: () => undefined,
  replaced: () => undefined,
};

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

/** Somebody who follows a channel. */
interface Open extends FollowedLog {
  readonly name: string;
}

type Operation = (backplane: MemoryBackplane, open: Open[]) => unknown;

const channel = fc.constantFrom(...names);
const onChannel = (operate: (name: string) => Operation): fc.Arbitrary<Operation> => channel.map(operate);
const overTime = (operate: (time: number) => Operation): fc.Arbitrary<Operation> =>
  fc.nat({ max: 150 }).map(operate);

const append = fc.tuple(channel, fc.integer({ min: 9, max: 200 })).map(
  ([name, bytes]): Operation =>
    (backplane) =>
      backplane.append(name, channels[name]!, storedOf(bytes)).catch(() => undefined),
);
const follow = onChannel((name) => async (backplane, open) => {
  open.push({ ...(await backplane.follow(name, channels[name]!, { ...nobody })), name });
});
/** Not of one that nothing was published to: a range does not tell that it is there. */
const complete = onChannel((name) => async (backplane) => {
  const { head } = await backplane.read(name, channels[name]!, { limit: 0 });
  if (head.offset > 0) await backplane.complete(name, channels[name]!);
});
/** Publishes once, in answer to the first events that it is offered because they go. */
const answer = fc.tuple(channel, channel).map(([name, to]): Operation => async (backplane, open) => {
  let isDue = true;
  const leaving = (): void => {
    if (isDue) void backplane.append(to, channels[to]!, storedOf(50)).catch(() => undefined);
    isDue = false;
  };
  open.push({ ...(await backplane.follow(name, channels[name]!, { ...nobody, leaving })), name });
});

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 12, arbitrary: append },
  { weight: 2, arbitrary: follow },
  { weight: 2, arbitrary: answer },
  { weight: 2, arbitrary: fc.constant<Operation>((_backplane, open) => open.shift()?.stop()) },
  { weight: 1, arbitrary: onChannel((name) => (backplane) => backplane.purge(name)) },
  { weight: 1, arbitrary: complete },
  { weight: 2, arbitrary: overTime((time) => () => jest.advanceTimersByTime(time)) },
  // The clock goes on and the sweep comes late.
  { weight: 1, arbitrary: overTime((time) => () => jest.setSystemTime(Date.now() + time)) },
);

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

/**
 * What `stats()` says, and what there is when one looks everywhere. A look makes logs let go of what is too old, and a
 * follower may publish in answer: it is repeated until nothing changes any more.
 */
async function accounts(backplane: MemoryBackplane, open: readonly Open[]) {
  const look = () =>
    Promise.all(
      names.map(async (name) => {
        const { entries, head } = await backplane.read(name, channels[name]!, { limit: Infinity });
        return { entries, isThere: head.offset > 0 || open.some((each) => each.name === name) };
      }),
    );
  let logs = await look();
  for (let again = await look(); !isDeepStrictEqual(again, logs); again = await look()) logs = again;
  const entries = logs.flatMap((log) => log.entries);
  const there = {
    channels: logs.filter(({ isThere }) => isThere).length,
    historyEvents: entries.length,
    historyBytes: entries.reduce((sum, { event }) => sum + event.bytes, 0),
  };
  return { said: backplane.stats(), there };
}

describe('the accounts of the memory backplane', () => {
  it('are what is in its logs, whatever was done, and never more than it may hold', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
        const backplane = new MemoryBackplane({ channels: 100, historyBytes: HISTORY_BYTES });
        const open: Open[] = [];
        for (const operate of operations) {
          await operate(backplane, open);
          expect(backplane.stats().historyBytes).toBeLessThanOrEqual(HISTORY_BYTES);
          const { said, there } = await accounts(backplane, open);
          expect(said).toEqual(there);
        }
        await backplane.close();
        expect(jest.getTimerCount()).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
