import { Listeners } from './environment.js';

/** A value that changes, as hooks and pages take it. */
export interface Live<Value> {
  /** The object stays the same until the value changes. */
  readonly value: Value;
  /** Calls a function after each change. It is bound. @returns a function that removes the listener */
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
