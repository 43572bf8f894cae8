import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds between two looks: processes beside this one need the processor more. */
const INTERVAL = 20;

/** Waits until the answer is yes, for what no event of this process tells of; fails after so many milliseconds. */
export async function until(
  what: string,
  milliseconds: number,
  check: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`Not within ${milliseconds} ms: ${what}.`);
    await delay(INTERVAL);
  }
}
