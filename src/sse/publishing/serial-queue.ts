import { SseError } from '../sse.errors.js';

/** Calls that wait at a time, for all channels together; the next one is refused. */
const MAX_WAITING = 10_000;

/** Keeps calls on a channel in their order where one of them has to wait for something first. */
export class SerialQueue {
  /** By channel: settles when the last call that waits has had its turn. */
  readonly #last = new Map<string, Promise<unknown>>();
  #waiting = 0;

  /** Whether a call on that channel waits: then one that comes after it takes its turn, too. */
  isAwaited(channel: string): boolean {
    return this.#last.has(channel);
  }

  /**
   * Gives what a call has waited for, when all before it have had their turn. The call is to be made as soon
   * as this resolves, before anything else is awaited: that was its turn.
   *
   * @throws SseError `PUBLISH_REJECTED`: too many wait
   */
  turn<T>(channel: string, ready: T | Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING) {
      Promise.resolve(ready).catch(() => undefined);
      throw new SseError(
        'PUBLISH_REJECTED',
        `${MAX_WAITING} events wait for asynchronous schemas to check them. Publish fewer at a time, or check them before.`,
      );
    }
    this.#waiting++;
    // What fails before its turn has come is told in its turn.
    const settled = Promise.allSettled([ready, this.#last.get(channel)]);
    const turn = settled.then(() => ready);
    // Who awaits the turn goes on before the one after it: what settles this comes after what settles that.
    const last: Promise<unknown> = Promise.allSettled([turn]).then(() => {
      this.#waiting--;
      if (this.#last.get(channel) === last) this.#last.delete(channel);
    });
    this.#last.set(channel, last);
    return turn;
  }
}
