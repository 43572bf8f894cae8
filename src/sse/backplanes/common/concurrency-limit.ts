import { notSent } from '../../sse.errors.js';

/**
 * Lets a few tasks run at the same time, in their order. A server that is asked for very much at once answers
 * all of it late; so it answers what was asked first in time.
 */
export class ConcurrencyLimit {
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** @param atOnce tasks that run at the same time */
  constructor(private readonly atOnce: number) {}

  /**
   * @param left milliseconds after which a task that still waits is not begun any more
   * @throws SseError `BACKPLANE_AWAY`, in place of one that was not begun
   */
  async run<T>(task: () => Promise<T>, left: number): Promise<T> {
    const until = performance.now() + left;
    if (this.#running < this.atOnce) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      if (performance.now() >= until) throw notSent('other', 'The server has too much else to do.');
      return await task();
    } finally {
      // Who comes next takes the place.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
