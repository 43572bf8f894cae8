import { expect, it } from '@jest/globals';
import { World } from './world.js';

const { SSE_TABS_FIRST = '1', SSE_TABS_COUNT = '300' } = process.env;
const FIRST = Number(SSE_TABS_FIRST);
const COUNT = Number(SSE_TABS_COUNT);

it('tabs lose nothing in silence, and share one stream, in any order of what browsers do', async () => {
  const failures: string[] = [];
  for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
    const world = new World(seed);
    failures.push(...(await world.run()));
    if (COUNT === 1) process.stderr.write(world.log.join('\n'));
    if (failures.length > 0) break;
  }
  expect(failures).toEqual([]);
});
