import type { Subscriber } from 'rxjs';

/** What Nest waits for: that a route has done its work, or has failed. What comes after the first of them is nothing. */
export interface RouteOutcome {
  done(): void;
  fail(error: unknown): void;
}

/** The outcome of a route, as our interceptor hands it back. */
export class ObservedOutcome implements RouteOutcome {
  constructor(
    private readonly toNest: Subscriber<unknown>,
    /** Whether Nest takes the last value, so that there has to be one. */
    private readonly isLastTaken: boolean,
  ) {}

  done(): void {
    if (this.isLastTaken) this.toNest.next(undefined);
    this.toNest.complete();
  }

  fail(error: unknown): void {
    this.toNest.error(error);
  }
}

/** The outcome of a route, as its method gives it back. Once it is known, nobody is held who waited: the stream may go on for days. */
export class AwaitedOutcome implements RouteOutcome {
  /** Settles with the outcome; undefined once it is known. */
  settled: Promise<void> | undefined;
  #resolve: (() => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  constructor() {
    this.settled = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // The method itself may have failed before, and then nobody waits.
    this.settled.catch(() => undefined);
  }

  done(): void {
    this.#resolve?.();
    this.#forget();
  }

  fail(error: unknown): void {
    this.#reject?.(error);
    this.#forget();
  }

  #forget(): void {
    this.settled = this.#resolve = this.#reject = undefined;
  }
}
