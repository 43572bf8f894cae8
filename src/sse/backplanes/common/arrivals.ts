import type { Position } from '../../protocol/position.js';

interface Waiting {
  readonly offset: number;
  readonly resolve: () => void;
}

/** Those who wait until an entry was told of. */
export class Arrivals {
  #waiting: Waiting[] = [];

  of({ offset }: Position): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ offset, resolve }));
  }

  /** Everything up to a position was told of. */
  upTo({ offset }: Position): void {
    if (this.#waiting.length === 0) return;
    const left: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (waiting.offset <= offset) waiting.resolve();
      else left.push(waiting);
    }
    this.#waiting = left;
  }

  /** @returns lets those go who wait now */
  all(): () => void {
    const waiting = this.#waiting.splice(0);
    return () => {
      for (const { resolve } of waiting) resolve();
    };
  }
}
