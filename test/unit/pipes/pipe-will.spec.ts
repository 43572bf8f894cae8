import { describe, expect, it, jest } from '@jest/globals';
import type { ChannelWriter } from '../../../src/sse/publishing/channel-writer.js';
import { LEASE_TIME } from '../../../src/sse/cluster/cluster.js';
import type { SseWills } from '../../../src/sse/cluster/wills.js';
import { OwnWill } from '../../../src/sse/pipes/pipe-will.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { onlyDate } from '../../support/fake-timers.js';

/** A pipe's will that was left in a store, and the store. */
async function left(complete: boolean) {
  jest.useFakeTimers(onlyDate);
  whenTestEnds(() => jest.useRealTimers());
  const store = new Map<string, string>();
  const wills: Pick<SseWills, 'leave' | 'isThere'> = {
    leave: async (id, text) => void store.set(id, text),
    isThere: async (id) => store.has(id),
  };
  const will = new OwnWill(
    { channel: 'a', last: undefined, complete },
    wills as SseWills,
    {} as ChannelWriter,
  );
  await will.leave(Promise.resolve(undefined));
  return { will, store };
}

describe('a pipe whose will the store has no more', () => {
  it('goes on, and leaves it anew, where nobody can have carried it out: too little time has passed', async () => {
    const { will, store } = await left(false);
    jest.advanceTimersByTime(LEASE_TIME);
    store.clear();
    expect([await will.confirm(), store.size]).toEqual(['kept', 1]);
  });

  it('stops where others may have told listeners that it is lost', async () => {
    const { will, store } = await left(false);
    jest.advanceTimersByTime(LEASE_TIME);
    expect(await will.confirm()).toBe('kept');
    jest.advanceTimersByTime(LEASE_TIME + 1);
    store.clear();
    expect([await will.confirm(), store.size]).toEqual(['lost', 0]);
  });

  it('goes on where they would have completed the channel: the next event is refused then', async () => {
    const { will, store } = await left(true);
    jest.advanceTimersByTime(2 * LEASE_TIME);
    store.clear();
    expect([await will.confirm(), store.size]).toEqual(['kept', 1]);
  });
});
