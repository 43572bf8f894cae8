import { SseError } from '../sse.errors.js';

/** Calls that wait at a time, for all channels together; the next one is refused. */
const MAX_WAITING = 10_000;

/**
 * Keeps the calls on each channel in their order where one of them has to wait for something first. Where none waits
 * there is no queue, and a call takes effect in the turn in which it is made.
 *
 * After `await turn()` the call must follow at once, with no other `await` between: the next turn comes right after.
 */
export class SerialQueue {
  /** By channel: settles when the last call that waits has had its turn. */
  readonly #last = new Map<string, Promise<unknown>>();
  #waiting = 0;

  /** Makes a call that waits for nothing but the calls before it: at once where there are none. */
  run<T>(channel: string, call: () => Promise<T>): Promise<T> {
    const turn = this.turn(channel, undefined);
    return turn ? turn.then(call) : call();
  }

  /**
   * Resolves with what a call has waited for, when all calls before it have had their turn. Where there is nothing to wait
   * for it is no Promise.
   *
   * @throws SseError `PUBLISH_REJECTED`, at once and not as a rejection: too many wait
   */
  turn<T>(channel: string, ready: T | Promise<T>): T | Promise<T> {
    const before = this.#last.get(channel);
    if (!before && !(ready instanceof Promise)) return ready;
    if (this.#waiting >= MAX_WAITING) {
      Promise.resolve(ready).catch(() => undefined);
      throw new SseError(
        'PUBLISH_REJECTED',
        `${MAX_WAITING} events wait for asynchronous schemas to check them. Publish fewer at a time, or check them before.`,
      );
    }
    this.#waiting++;
    // Also where `ready` fails early, the calls before it come first.
    const settled = Promise.allSettled([ready, before]);
    const turn = settled.then(() => ready);
    // Resolves after the turn has, so that the caller of this turn goes on before the caller of the next.
    const last: Promise<unknown> = Promise.allSettled([turn]).then(() => {
      this.#waiting--;
      if (this.#last.get(channel) === last) this.#last.delete(channel);
    });
    this.#last.set(channel, last);
    return turn;
  }
}
