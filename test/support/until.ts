import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds between two looks: processes beside this one need the processor more. */
const INTERVAL = 20;

/** Milliseconds in which all is done, on a machine that has much else to do. */
const PATIENCE = 30_000;

/** Waits until the answer is yes, for what no event of this process tells of; fails where it takes too long. */
export async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`Not within ${PATIENCE} ms: ${what}.`);
    await delay(INTERVAL);
  }
}
