import type { Catalogue, HeldChannel } from './catalogue.js';
import type { CommitQueue } from './commit-queue.js';
import type { Database } from './database.js';

/** How many channels are looked at in one turn. */
const STEP = 1_000;
/** The most and the least milliseconds between two sweeps. */
const INTERVAL = { most: 30_000, least: 10 };
/** No channel has this name. */
const NO_CHANNEL = '';

/** Gives back, step by step, what has outlived its `ttl` or its `age`, and deletes what was left over. */
export class Sweep {
  #interval = INTERVAL.most;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(
    private readonly catalogue: Catalogue,
    private readonly database: Database,
    private readonly queue: CommitQueue,
  ) {
    for (const { record } of catalogue.channels.values())
      if (record) this.within(Math.min(record.ttl, record.age));
    // First of all, what is over since the last process ended.
    this.soon();
  }

  /** Comes often enough for a shorter time. */
  within(shortest: number): void {
    const interval = Math.max(shortest / 4, INTERVAL.least);
    if (interval >= this.#interval) return;
    this.#interval = interval;
    this.#sleep();
  }

  /** Begins anew at once: there is something to delete. */
  soon(): void {
    this.#next(() => this.#sweep(this.catalogue.channels.values()), 0);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #sleep(): void {
    this.#next(() => this.#sweep(this.catalogue.channels.values()), this.#interval);
  }

  #next(step: () => Promise<void>, delay: number): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    // Whatever the disk does not take now is there for the next sweep.
    this.#timer = setTimeout(() => void step().catch(() => this.#sleep()), delay).unref();
  }

  async #sweep(channels: Iterator<HeldChannel>): Promise<void> {
    const some: HeldChannel[] = [];
    for (let next = channels.next(); !next.done; next = channels.next()) {
      if (some.push(next.value) === STEP) break;
    }
    const cleans = this.#hasLeftovers;
    if (some.length > 0 || cleans) {
      await this.queue.run('room', NO_CHANNEL, (draft) => {
        draft.cleans = cleans;
        for (const held of some) draft.age(held);
        return draft.isEmpty ? { now: undefined } : { afterCommit: () => undefined };
      });
    }
    if (some.length === STEP || this.#hasLeftovers) this.#next(() => this.#sweep(channels), 0);
    else this.#sleep();
  }

  get #hasLeftovers(): boolean {
    return this.database.leftovers.getCount({ limit: 1 }) > 0;
  }
}
