import { Listeners } from './environment.js';

/** A value that changes, as hooks and pages take it: each is a new object, or the same one as before. */
export interface Live<Value> {
  readonly value: Value;
  /** Calls a function after each change. It is bound. @returns takes it off */
  readonly subscribe: (listener: () => void) => () => void;
}

/** The value, with the right to set it. */
export class LiveValue<Value> implements Live<Value> {
  readonly #listeners = new Listeners();
  readonly subscribe = this.#listeners.add;

  constructor(public value: Value) {}

  set(value: Value): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    this.#listeners.call();
  }
}
