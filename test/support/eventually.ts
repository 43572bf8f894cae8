import { setImmediate as turn } from 'node:timers/promises';
import { whenTestEnds } from './clean-up.js';

/** Waits until the answer is yes, for what no event tells of; asks in each turn of the event loop. */
export async function eventually(check: () => boolean | Promise<boolean>): Promise<void> {
  let isOver = false;
  whenTestEnds(() => (isOver = true));
  while (!(await check())) {
    if (isOver) throw new Error('The test was over before it came true.');
    await turn();
  }
}
