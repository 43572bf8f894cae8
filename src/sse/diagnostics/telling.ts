/**
 * Milliseconds between two messages about what happens every turn: a busy hub has thousands of turns in a second, and a
 * message costs its listeners as much as tens of deliveries.
 */
const INTERVAL = 10;

/** Times the messages about what happens every turn. */
export class Telling {
  #toldAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly tell: () => void) {}

  /** Tells at once, or, if it has told less than 10 ms ago, when these are over. */
  whenDue(): void {
    const rest = this.#toldAt + INTERVAL - performance.now();
    if (rest > 0) this.#timer = setTimeout(() => this.now(), rest);
    else this.now();
  }

  now(): void {
    clearTimeout(this.#timer);
    this.#toldAt = performance.now();
    this.tell();
  }
}
