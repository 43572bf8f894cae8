/** Items that are visited in one turn of the event loop. */
const STEP = 1_000;
/** The most and the least milliseconds between two sweeps. */
const INTERVAL = { most: 30_000, least: 10 };

/**
 * Visits all items of a collection again and again, step by step: items that expire, or have to be looked at now and
 * then. The item with the shortest time sets the pace. `within()` raises it at once. After a sweep that has not seen
 * such an item it falls, but at most by half, as an announced item may come late.
 *
 * The first call of `within()` or `soon()` starts it. It has one timer, which does not keep the process alive.
 */
export class Sweep<Item> {
  #interval = INTERVAL.most;
  /** The shortest time among the items that were seen or announced since the present sweep began. */
  #shortest = Infinity;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /**
   * @param visit may reject: what it could not do is left for the next sweep
   * @param time the time of an item in milliseconds. It is visited about four times in it
   */
  constructor(
    private readonly items: () => Iterator<Item>,
    private readonly visit: (some: readonly Item[]) => Promise<void> | undefined,
    private readonly time: (item: Item) => number,
  ) {}

  /** Announces an item with such a time. */
  within(time: number): void {
    this.#shortest = Math.min(this.#shortest, time);
    const interval = intervalFor(time);
    if (this.#timer && interval >= this.#interval) return;
    this.#interval = interval;
    this.#schedule(interval);
  }

  /** Begins a sweep in the next turn. */
  soon(): void {
    this.#schedule(0);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(delay: number, rest?: Iterator<Item>): void {
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(() => this.#visit(rest), delay).unref();
  }

  #visit(rest?: Iterator<Item>): void {
    if (!rest) this.#shortest = Infinity;
    const items = rest ?? this.items();
    const some: Item[] = [];
    for (let next = items.next(); !next.done; next = items.next()) {
      this.#shortest = Math.min(this.#shortest, this.time(next.value));
      if (some.push(next.value) === STEP) break;
    }
    const goOn = (): void => {
      if (some.length === STEP) return this.#schedule(0, items);
      this.#interval = Math.min(intervalFor(this.#shortest), this.#interval * 2);
      this.#schedule(this.#interval);
    };
    const visited = this.visit(some);
    if (visited) void visited.then(goOn, () => this.#schedule(this.#interval));
    else goOn();
  }
}

const intervalFor = (time: number): number => Math.min(Math.max(time / 4, INTERVAL.least), INTERVAL.most);
