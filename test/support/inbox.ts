import { EventEmitter, once } from 'node:events';

/** Values that come one after another, until an end. */
export class Inbox<T> {
  /** Everything that ever came. */
  readonly all: T[] = [];
  #taken = 0;
  #ending: string | undefined;
  readonly #bell = new EventEmitter();

  push(value: T): void {
    this.all.push(value);
    this.#bell.emit('ring');
  }

  end(ending: string): void {
    this.#ending = ending;
    this.#bell.emit('ring');
  }

  /** The next value, or undefined when there is none and none will come. */
  async nextIfAny(): Promise<T | undefined> {
    while (this.#taken === this.all.length) {
      if (this.#ending !== undefined) return undefined;
      await once(this.#bell, 'ring');
    }
    return this.all[this.#taken++];
  }

  async until(enough: (value: T, count: number) => boolean): Promise<T[]> {
    const values: T[] = [];
    for (;;) {
      const value = await this.nextIfAny();
      if (value === undefined) {
        throw new Error(`The stream is over (${this.#ending}), after ${JSON.stringify(values.slice(-3))}.`);
      }
      values.push(value);
      if (enough(value, values.length)) return values;
    }
  }

  async rest(): Promise<T[]> {
    const values: T[] = [];
    for (let value = await this.nextIfAny(); value !== undefined; value = await this.nextIfAny())
      values.push(value);
    return values;
  }
}
