import { whenTestEnds } from '../support/clean-up.js';
import type { Fleet, Outcome } from './fleet.js';

/** Milliseconds between two handfuls of events. */
const INTERVAL = 50;

export interface LoadOptions {
  readonly channel: string;
  /** Events in a second, through all instances in turn. */
  readonly rate: number;
  /** Whether what has not succeeded is tried again through the next instance, with the same `publishId`. */
  readonly retries: boolean;
}

/** Publishes 0, 1, 2 and so on at a steady rate, and knows what became of each. It ends with the test. */
export class Load {
  /** By number; of those that are tried again only the last outcome, which is an id. */
  readonly outcomes = new Map<number, Outcome>();
  readonly #under: Promise<void>[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();

  constructor(
    private readonly fleet: Fleet,
    private readonly options: LoadOptions,
  ) {
    this.#timer = setInterval(() => this.#catchUp(), INTERVAL);
    whenTestEnds(() => clearInterval(this.#timer));
  }

  /** How many were begun. */
  get count(): number {
    return this.#under.length;
  }

  /** Publishes no more, and waits for every outcome. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#under);
  }

  /** The numbers of which this is so. */
  numbers(is: (outcome: Outcome) => boolean): string[] {
    return [...this.outcomes].filter(([, outcome]) => is(outcome)).map(([n]) => String(n));
  }

  #catchUp(): void {
    const due = ((performance.now() - this.#startedAt) / 1_000) * this.options.rate;
    while (this.#under.length < due) this.#under.push(this.#publish(this.#under.length));
  }

  async #publish(n: number): Promise<void> {
    const { channel, retries } = this.options;
    for (let attempt = 0; ; attempt++) {
      const { running } = this.fleet;
      const instance = running[(n + attempt) % running.length];
      const outcome = await instance?.publish(channel, String(n), `load-${n}`);
      this.outcomes.set(n, outcome ?? { code: 'LOST' });
      if (!outcome || 'id' in outcome || !retries) return;
    }
  }
}
