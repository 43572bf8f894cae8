/** Items that are visited in one turn of the event loop. */
const STEP = 1_000;
/** The most and the least milliseconds between two sweeps. */
const INTERVAL = { most: 30_000, least: 10 };

/**
 * Visits all items of a collection again and again, step by step, and often enough for the shortest time that it was
 * told; for items that outlive their time, or have to be looked at now and then. It begins with the first call of
 * `within()` or `soon()`, and has one timer, which does not keep the process alive.
 */
export class Sweep<Item> {
  #interval = INTERVAL.most;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** @param visit may reject: what it could not do is there for the next sweep */
  constructor(
    private readonly items: () => Iterator<Item>,
    private readonly visit: (some: readonly Item[]) => Promise<void> | undefined,
  ) {}

  /** Some items last only so many milliseconds. */
  within(shortest: number): void {
    const interval = Math.min(Math.max(shortest / 4, INTERVAL.least), INTERVAL.most);
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
    if (!this.#isStopped) this.#timer = setTimeout(() => this.#visit(rest ?? this.items()), delay).unref();
  }

  #visit(items: Iterator<Item>): void {
    const some: Item[] = [];
    for (let next = items.next(); !next.done; next = items.next()) if (some.push(next.value) === STEP) break;
    const goOn = (): void =>
      some.length === STEP ? this.#schedule(0, items) : this.#schedule(this.#interval);
    const visited = this.visit(some);
    if (visited) void visited.then(goOn, () => this.#schedule(this.#interval));
    else goOn();
  }
}
