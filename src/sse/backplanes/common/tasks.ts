import { notSent } from '../../sse.errors.js';
import { atDeadline } from './deadline.js';

/**
 * Runs a few tasks at the same time, in the order of the calls. A server that gets very many requests at once answers
 * all of them late; if it gets a few at a time, it answers the first ones in time.
 */
export class ConcurrencyLimit {
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** @param atOnce the most tasks that run at the same time */
  constructor(private readonly atOnce: number) {}

  get isIdle(): boolean {
    return this.#running === 0;
  }

  /**
   * @param left milliseconds that the task may wait for its turn
   * @throws SseError `BACKPLANE_AWAY` if it has waited for longer
   */
  async run<T>(task: () => Promise<T>, left = Infinity): Promise<T> {
    const until = performance.now() + left;
    if (this.#running < this.atOnce) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      if (performance.now() >= until) throw notSent('other', 'The server has too much else to do.');
      return await task();
    } finally {
      // The next task takes this one's place, so that no later call overtakes it.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

/**
 * Runs a task, never twice at the same time. All calls during a run share one more run after it, as the present run may
 * have looked too early for them.
 *
 * @returns runs the task; settles as the run that began after the call
 */
export function coalesced(task: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const run = (): Promise<void> => {
    next = undefined;
    running = task().finally(() => (running = undefined));
    return running;
  };
  return () => {
    if (next) return next;
    return running ? (next = running.then(run, run)) : run();
  };
}

/**
 * Awaits a task, and gives it up when it takes too long or `closing` aborts.
 *
 * @param task is called with a signal that aborts then, so that it can undo what it has begun
 */
export async function giveUpAfter<T>(
  milliseconds: number,
  task: (signal: AbortSignal) => Promise<T>,
  closing?: AbortSignal,
): Promise<T> {
  const over = new AbortController();
  const { signal } = over;
  const close = (): void => over.abort(closing?.reason);
  closing?.addEventListener('abort', close);
  const late = (): void => over.abort(new Error(`there was no answer within ${milliseconds} ms`));
  const cancel = atDeadline(milliseconds, late, 'unref');
  const givenUp = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
  try {
    return await Promise.race([task(signal), givenUp]);
  } finally {
    cancel();
    closing?.removeEventListener('abort', close);
  }
}
