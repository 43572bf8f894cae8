import { Logger } from '@nestjs/common';
import { SseError } from '../sse.errors.js';

/** Milliseconds between two lines of the log about failures of the same kind. */
const LOG_INTERVAL = 10_000;

/** What has failed of one kind. */
interface Kind {
  loggedAt: number;
  /** Failures since then. */
  unlogged: number;
}

/** Events that could not be published, and for which nobody waits. Each is counted, and a few are logged. */
export class FailedEmits {
  readonly #logger = new Logger('SseHub');
  /** By the code of the error, of which there are few. */
  readonly #kinds = new Map<string, Kind>();
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
    const kind = this.#kinds.get(code) ?? { loggedAt: -Infinity, unlogged: 0 };
    this.#kinds.set(code, kind);
    const now = performance.now();
    if (now - kind.loggedAt < LOG_INTERVAL) {
      kind.unlogged++;
      return;
    }
    const others = kind.unlogged > 0 ? `, nor were ${kind.unlogged} others since the last such line` : '';
    this.#logger.error(
      `An event for the channel ${JSON.stringify(channel)} was not published${others}.`,
      error instanceof Error ? error.stack : String(error),
    );
    kind.loggedAt = now;
    kind.unlogged = 0;
  }
}
