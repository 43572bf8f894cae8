import type { LogMirror } from './log-mirror.js';

/** Mirrors that are brought up to date at the same time. */
const AT_ONCE = 50;

/** Brings mirrors up to date, each once and not all at the same time: there may be very many. */
export class Resyncs {
  readonly #waiting = new Set<LogMirror>();
  #running = 0;

  add(mirror: LogMirror): void {
    this.#waiting.add(mirror);
    this.#next();
  }

  delete(mirror: LogMirror): void {
    this.#waiting.delete(mirror);
  }

  #next(): void {
    for (const mirror of this.#waiting) {
      if (this.#running >= AT_ONCE) return;
      this.#waiting.delete(mirror);
      this.#running++;
      void this.#resync(mirror);
    }
  }

  async #resync(mirror: LogMirror): Promise<void> {
    try {
      // One that is not open yet is being read for the first time.
      if (mirror.isOpen) await mirror.resync();
    } finally {
      this.#running--;
      this.#next();
    }
  }
}
