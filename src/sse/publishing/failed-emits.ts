import { Logger } from '@nestjs/common';
import { SseError } from '../sse.errors.js';
import { SparseLog } from '../sparse-log.js';

/** Events that could not be published, and for which nobody waits. Each is counted, and a few are logged. */
export class FailedEmits {
  readonly #logger = new Logger('SseHub');
  readonly #log = new SparseLog();
  #count = 0;

  /** Failures since the start. */
  get count(): number {
    return this.#count;
  }

  add(channel: string, error: unknown): void {
    this.#count++;
    const code = error instanceof SseError ? error.code : 'other';
    // A timer may well emit once more while the application closes.
    if (code === 'HUB_CLOSED') return;
    this.#log.add(code, (leftOut) => {
      const others = leftOut > 0 ? `, nor were ${leftOut} others since the last such line` : '';
      this.#logger.error(
        `An event for the channel ${JSON.stringify(channel)} was not published${others}.`,
        error instanceof Error ? error.stack : String(error),
      );
    });
  }
}
