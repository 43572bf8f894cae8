import { seededRandom } from '../bench/random.js';

interface Timer {
  readonly at: number;
  /** Timers of the same moment go off in the order in which they were set. */
  readonly number: number;
  readonly run: () => void;
  isCleared: boolean;
}

/** What code gets that sets a timer: it may treat it as one of Node's. */
class Handle {
  constructor(readonly timer: Timer) {}
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

type Task = (...args: unknown[]) => void;

/** Turns of the event loop after each moment in which what it began comes to its end: a request is served in a few. */
const TURNS = 12;

const realImmediate = globalThis.setImmediate;
const turn = (): Promise<void> => new Promise((resolve) => realImmediate(resolve));

/**
 * Time that passes as fast as the code can run: clocks, timers and random numbers are the simulation's until `end()`, and
 * what happens is the same for the same seed. Turns of the event loop are real.
 *
 * The code that runs takes no time, so nothing in the simulation is late because a processor is busy.
 */
export class VirtualTime {
  #now = 0;
  #number = 0;
  /** A binary heap, the next timer first. */
  readonly #timers: Timer[] = [];
  readonly #real = new Map<string, PropertyDescriptor>();
  readonly #realDateNow = Date.now;
  readonly #realRandom = Math.random;

  constructor(seed: number) {
    const set = (task: Task, after = 0, ...args: unknown[]): Handle => this.#set(task, after, args);
    const clear = (handle: unknown): void => {
      if (handle instanceof Handle) handle.timer.isCleared = true;
    };
    this.#replace('setTimeout', set);
    this.#replace('clearTimeout', clear);
    this.#replace('performance', { now: () => this.#now, timeOrigin: 0 });
    Date.now = () => Math.floor(this.#now);
    Math.random = seededRandom(seed);
  }

  /** Milliseconds since it began. */
  get now(): number {
    return this.#now;
  }

  /** Lets time pass up to a moment. Before it moves on, what was begun has had its turns. */
  async until(moment: number): Promise<void> {
    await this.settle();
    for (let next = this.#timers[0]; next && next.at <= moment; next = this.#timers[0]) {
      this.#now = Math.max(this.#now, next.at);
      while (this.#timers[0] && this.#timers[0].at <= this.#now) this.#pop();
      await this.settle();
    }
    this.#now = moment;
  }

  /** Lets what was begun come to its end, as far as it needs no time. */
  async settle(): Promise<void> {
    for (let i = 0; i < TURNS; i++) await turn();
  }

  /** Gives the real clocks, timers and random numbers back. */
  end(): void {
    for (const [name, descriptor] of this.#real) Object.defineProperty(globalThis, name, descriptor);
    Date.now = this.#realDateNow;
    Math.random = this.#realRandom;
  }

  #replace(name: string, value: unknown): void {
    this.#real.set(name, Object.getOwnPropertyDescriptor(globalThis, name)!);
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }

  #set(task: Task, after: number, args: readonly unknown[]): Handle {
    // A timer has whole milliseconds, as in Node.
    const at = Math.ceil(this.#now + Math.max(1, Math.floor(after) || 0));
    const timer = { at, number: this.#number++, run: () => task(...args), isCleared: false };
    this.#push(timer);
    return new Handle(timer);
  }

  #push(timer: Timer): void {
    const heap = this.#timers;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  /** Takes the next timer out, and has it go off. */
  #pop(): void {
    const heap = this.#timers;
    const next = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    if (!next.isCleared) next.run();
  }

  #sink(timer: Timer): void {
    const heap = this.#timers;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, timer)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = timer;
  }
}

const isBefore = (one: Timer, other: Timer): boolean =>
  one.at < other.at || (one.at === other.at && one.number < other.number);
