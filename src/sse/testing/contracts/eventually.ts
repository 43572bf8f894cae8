import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';

/** A factor for the patience of a suite, for slow machines. */
const FACTOR = Number(process.env['SSE_TEST_PATIENCE'] ?? 1);

/** Milliseconds after which a wait is given up; the longest one of a suite is for two leases. */
const PATIENCE = 35_000 * FACTOR;

/** The first looks are made in successive turns of the event loop. */
const EAGER_LOOKS = 20;

/** Milliseconds; the pauses between later looks double up to here. */
const LONGEST_PAUSE = 32;

/**
 * Waits until `check` says yes, where no event announces it; rejects when the patience is used up.
 *
 * The pauses are counted and not the clock: neither a busy machine nor a test that sets the time takes
 * anything from the patience.
 *
 * @param what names the wait in the error, where the source of `check` tells too little
 */
export async function eventually(check: () => boolean | Promise<boolean>, what?: string): Promise<void> {
  let looks = 0;
  let waited = 0;
  for (let pause = 1; !(await check());) {
    if (waited > PATIENCE) throw new Error(`Not within ${PATIENCE} ms: ${what ?? String(check)}`);
    if (++looks < EAGER_LOOKS) {
      await turn();
      continue;
    }
    await delay(pause);
    waited += pause;
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
}
