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
    return this.#wait([channel], [before], ready);
  }

  /** As {@link turn}, for a call on several channels: it has its turn in all of them at the same time. */
  turnInAll<T>(channels: ReadonlySet<string>, ready: T | Promise<T>): T | Promise<T> {
    const before = [...channels].map((channel) => this.#last.get(channel));
    if (before.every((one) => !one) && !(ready instanceof Promise)) return ready;
    return this.#wait([...channels], before, ready);
  }

  #wait<T>(
    channels: readonly string[],
    before: readonly (Promise<unknown> | undefined)[],
    ready: T | Promise<T>,
  ): Promise<T> {
    if (this.#waiting >= MAX_WAITING) {
      Promise.resolve(ready).catch(() => undefined);
      throw new SseError(
        'PUBLISH_REJECTED',
        `${MAX_WAITING} calls wait for asynchronous schemas, or for the copies of events in other channels. Publish fewer at a time.`,
      );
    }
    this.#waiting++;
    // Also where `ready` fails early, the calls before it come first.
    const settled = Promise.allSettled([ready, ...before]);
    const turn = settled.then(() => ready);
    // Resolves after the turn has, so that the caller of this turn goes on before the caller of the next.
    const last: Promise<unknown> = Promise.allSettled([turn]).then(() => {
      this.#waiting--;
      for (const channel of channels) if (this.#last.get(channel) === last) this.#last.delete(channel);
    });
    for (const channel of channels) this.#last.set(channel, last);
    return turn;
  }
}
