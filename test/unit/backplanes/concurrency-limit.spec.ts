import { describe, expect, it } from '@jest/globals';
import { ConcurrencyLimit } from '../../../src/sse/backplanes/common/tasks.js';

/** Tasks that end when the test says so. */
function tasks(limit: ConcurrencyLimit, count: number, left: number) {
  const begun: number[] = [];
  const end: (() => void)[] = [];
  const done = Array.from({ length: count }, (_, i) => {
    const ended = new Promise<void>((resolve) => end.push(resolve));
    return limit.run(async () => {
      begun.push(i);
      await ended;
      return i;
    }, left);
  });
  return { begun, end, done };
}

describe('a concurrency limit', () => {
  it('lets so many in at a time, in their order', async () => {
    const { begun, end, done } = tasks(new ConcurrencyLimit(2), 4, 60_000);
    expect(begun).toEqual([0, 1]);
    end[1]!();
    expect(await done[1]).toBe(1);
    expect(begun).toEqual([0, 1, 2]);
    for (const task of end) task();
    expect(await Promise.all(done)).toEqual([0, 1, 2, 3]);
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  it('does not begin what has waited for too long, and gives its place to the next', async () => {
    const limit = new ConcurrencyLimit(1);
    const first = tasks(limit, 1, 60_000);
    const late = tasks(limit, 1, 0);
    const next = tasks(limit, 1, 60_000);
    first.end[0]!();
    await expect(late.done[0]).rejects.toMatchObject({ code: 'BACKPLANE_AWAY' });
    expect(late.begun).toEqual([]);
    next.end[0]!();
    expect(await next.done[0]).toBe(0);
  });

  it('goes on after a task that fails', async () => {
    const limit = new ConcurrencyLimit(1);
    await expect(limit.run(() => Promise.reject(new Error('no')), 60_000)).rejects.toThrow('no');
    expect(await limit.run(async () => 'yes', 60_000)).toBe('yes');
  });
});
