import { setImmediate as turn } from 'node:timers/promises';

/** Milliseconds after which what has not come true never will; the longest wait of a suite is for two leases. */
const PATIENCE = 35_000;

/** Waits until the answer is yes, for what no event tells of; asks in each turn of the event loop. */
export async function eventually(check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`In vain waited until ${String(check)}.`);
    await turn();
  }
}
