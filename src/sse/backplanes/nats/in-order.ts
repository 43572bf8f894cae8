/** Does one step after the other, in the order of the calls. */
export class InOrder {
  #last: Promise<unknown> | undefined;

  get isIdle(): boolean {
    return this.#last === undefined;
  }

  run<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#last ? this.#last.then(step) : step();
    const settled: Promise<unknown> = Promise.allSettled([done]).then(() => {
      if (this.#last === settled) this.#last = undefined;
    });
    this.#last = settled;
    return done;
  }
}
