import { describe, expect, it } from '@jest/globals';
import { World } from './world.js';

/*
 * Tabs in a browser that is a model, whose messages take any time: each seed is a schedule of what browsers, servers and users do. A
 * failure names its seed; `SSE_TABS_FIRST=305 SSE_TABS_COUNT=1` runs that alone, and writes down what happens.
 */

const { SSE_TABS_FIRST = '1', SSE_TABS_COUNT = '320' } = process.env;
const FIRST = Number(SSE_TABS_FIRST);
const COUNT = Number(SSE_TABS_COUNT);
/** Schedules in one test. */
const BATCH = 20;

const batches = Array.from({ length: Math.ceil(COUNT / BATCH) }, (_, i) => ({
  first: FIRST + i * BATCH,
  last: FIRST + Math.min(COUNT, (i + 1) * BATCH) - 1,
}));

describe('tabs that share a stream', () => {
  it.each(batches)('lose nothing in silence in schedules $first to $last', async ({ first, last }) => {
    const failures: string[] = [];
    for (let seed = first; seed <= last; seed++) {
      const world = new World(seed);
      failures.push(...(await world.run()));
      if (COUNT === 1) process.stderr.write(`${world.log.join('\n')}\n`);
    }
    expect(failures).toEqual([]);
  });
});
