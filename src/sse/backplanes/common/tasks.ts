import { notSent } from '../../sse.errors.js';

/**
 * Lets a few tasks run at the same time, in the order of the calls. A server that is asked for very much at once
 * answers all of it late; asked for a little at a time, it answers in time what was asked first.
 */
export class ConcurrencyLimit {
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** @param atOnce tasks that run at the same time */
  constructor(private readonly atOnce: number) {}

  get isIdle(): boolean {
    return this.#running === 0;
  }

  /**
   * @param left milliseconds after which a task that still waits is not begun any more
   * @throws SseError `BACKPLANE_AWAY` in place of a task that was not begun
   */
  async run<T>(task: () => Promise<T>, left = Infinity): Promise<T> {
    const until = performance.now() + left;
    if (this.#running < this.atOnce) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      if (performance.now() >= until) throw notSent('other', 'The server has too much else to do.');
      return await task();
    } finally {
      // The next task takes the place over, so that none that is called now overtakes it.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

/**
 * Runs a task one at a time. A call while it runs leads to one more run after it, which all such calls share: the
 * present run may have looked too early for them.
 *
 * @returns runs the task; settles as a run does that began after the call
 */
export function coalesced(task: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const run = (): Promise<void> => {
    next = undefined;
    running = task().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (next) return next;
    return running ? (next = running.then(run, run)) : run();
  };
}

/**
 * Gives up a task that takes longer than it may, or that nobody needs any more.
 *
 * @param task is given a signal that aborts then, so that it can give back what it has begun
 * @param closing aborts when nobody needs the task any more
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
  const timer = setTimeout(late, milliseconds).unref();
  const givenUp = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
  try {
    return await Promise.race([task(signal), givenUp]);
  } finally {
    clearTimeout(timer);
    closing?.removeEventListener('abort', close);
  }
}
