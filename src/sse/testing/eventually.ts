import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';

/** How many times as long as usual a suite waits, for a machine that is slow. */
const FACTOR = Number(process.env['SSE_TEST_PATIENCE'] ?? 1);

/** Milliseconds after which what has not come true never will; the longest wait of a suite is for two leases. */
const PATIENCE = 35_000 * FACTOR;

/** The first looks are made in one turn of the event loop after another. */
const EAGER_LOOKS = 20;

/** Milliseconds; the pauses between later looks double up to here. */
const LONGEST_PAUSE = 32;

/**
 * Waits until `check` says yes, for what no event announces; rejects when the patience is used up.
 *
 * The pauses are counted and not the clock: neither a busy machine nor a test that sets the time takes
 * anything from the patience.
 *
 * @param what names what it waits for, where the source of `check` does not
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
