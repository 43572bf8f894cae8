import { Changes } from './changes.js';

/** Things that come one after another, and are taken in their order. */
export class Inbox<T> {
  /** Everything that ever came, taken or not. */
  readonly all: T[] = [];
  #taken = 0;
  #isOver = false;
  readonly #changes: Changes;

  /**
   * @param limit milliseconds that one call waits at most
   * @param story tells what there is, where a call has waited in vain
   */
  constructor(
    limit: number,
    private readonly story: () => string,
  ) {
    this.#changes = new Changes(limit);
  }

  push(item: T): void {
    this.all.push(item);
    this.#changes.happened();
  }

  /** Nothing comes any more, unless {@link reopen} is called. */
  end(): void {
    this.#isOver = true;
    this.#changes.happened();
  }

  reopen(): void {
    this.#isOver = false;
  }

  /**
   * All up to the first that is enough.
   *
   * @param what is awaited, for the error
   * @throws Error where it does not come in time, or it is over before
   */
  async until(isEnough: (item: T, count: number) => boolean, what = 'what is awaited'): Promise<T[]> {
    let isFound = false;
    const items = await this.#collect((item, count) => (isFound = isEnough(item, count)), what);
    if (isFound) return items;
    throw new Error(`It was over before ${what} came. ${this.story()}`);
  }

  /** The next one; undefined if it is over before. */
  async nextIfAny(what = 'what is awaited'): Promise<T | undefined> {
    return (await this.#collect(() => true, what))[0];
  }

  /** All until it is over. */
  rest(): Promise<T[]> {
    return this.#collect(() => false, 'the end');
  }

  /** All up to the first that is enough, or until it is over. */
  async #collect(isEnough: (item: T, count: number) => boolean, what: string): Promise<T[]> {
    const items: T[] = [];
    const isDone = (): boolean => {
      while (this.#taken < this.all.length) {
        const item = this.all[this.#taken++] as T;
        items.push(item);
        if (isEnough(item, items.length)) return true;
      }
      return this.#isOver;
    };
    if (await this.#changes.until(isDone)) return items;
    throw new Error(`Waited ${this.#changes.limit} ms for ${what}. ${this.story()}`);
  }
}
