import type { LocalCopy } from './local-copy.js';

/** Copies that are brought up to date at the same time. */
const AT_ONCE = 50;

/** Brings local copies up to date, each once and not all at the same time: there may be very many. */
export class Resyncs {
  readonly #waiting = new Set<LocalCopy>();
  #running = 0;

  add(copy: LocalCopy): void {
    this.#waiting.add(copy);
    this.#next();
  }

  delete(copy: LocalCopy): void {
    this.#waiting.delete(copy);
  }

  #next(): void {
    for (const copy of this.#waiting) {
      if (this.#running >= AT_ONCE) return;
      this.#waiting.delete(copy);
      // One that is not open yet is being read for the first time.
      if (!copy.isOpen) continue;
      this.#running++;
      void copy.resync().finally(() => {
        this.#running--;
        this.#next();
      });
    }
  }
}
