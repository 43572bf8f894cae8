import { clearTimeout, setTimeout } from 'node:timers';

/**
 * Waits for what somebody else changes.
 *
 * It waits by the clock of the machine, also where a test has the time in its hands: node:timers is imported before a test
 * can replace it.
 */
export class Changes {
  readonly #looks = new Set<() => void>();

  /** @param limit milliseconds that a call of {@link until} waits at most */
  constructor(readonly limit: number) {}

  /** Something has changed: everybody who waits looks again. */
  happened(): void {
    for (const look of this.#looks) look();
  }

  /** Looks now and after each change. @returns whether it became so within the limit; rejects with what `isSo` throws */
  until(isSo: () => boolean): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        this.#looks.delete(look);
        end();
      };
      const look = (): void => {
        try {
          if (isSo()) settle(() => resolve(true));
        } catch (error) {
          const reason = error as Error;
          settle(() => reject(reason));
        }
      };
      const timer = setTimeout(() => settle(() => resolve(false)), this.limit);
      this.#looks.add(look);
      look();
    });
  }
}
