import { channelPublished } from '../diagnostics/diagnostics.js';
import type { OfChannel } from '../diagnostics/messages.js';
import { Telling } from '../diagnostics/telling.js';
import { codeOf } from '../sse.errors.js';

/** The publishing to one channel that was not told of yet. */
interface Count {
  readonly of: OfChannel;
  published: number;
  bytes: number;
  /** By code. */
  readonly failures: Map<string, number>;
  /** Milliseconds. */
  min: number;
  max: number;
}

/**
 * Counts calls of `publish()` by channel, and tells of those that came to an end in a turn when it is over. Calls that come to
 * an end within the next 10 ms are told of together, as there may be thousands of turns in a second.
 */
export class Publications {
  #counts = new Map<string, Count>();
  readonly #telling = new Telling(() => this.#tell());

  constructor(private readonly of: (channel: string) => OfChannel) {}

  /**
   * Counts a call at its end.
   *
   * @param startedAt `performance.now()`
   * @returns the end, with what `resultOf` makes of it
   */
  counted<Stored extends { readonly bytes: number }, Result>(
    channel: string,
    startedAt: number,
    end: Promise<Stored>,
    resultOf: (stored: Stored) => Result,
  ): Promise<Result> {
    return end.then(
      (stored) => {
        const count = this.#ended(channel, startedAt);
        count.published++;
        count.bytes += stored.bytes;
        return resultOf(stored);
      },
      (error: unknown) => {
        const { failures } = this.#ended(channel, startedAt);
        const code = codeOf(error);
        failures.set(code, (failures.get(code) ?? 0) + 1);
        throw error;
      },
    );
  }

  #ended(channel: string, startedAt: number): Count {
    if (this.#counts.size === 0) setImmediate(() => this.#telling.whenDue());
    let count = this.#counts.get(channel);
    if (!count) {
      count = { of: this.of(channel), published: 0, bytes: 0, failures: new Map(), min: Infinity, max: 0 };
      this.#counts.set(channel, count);
    }
    const duration = performance.now() - startedAt;
    if (duration < count.min) count.min = duration;
    if (duration > count.max) count.max = duration;
    return count;
  }

  #tell(): void {
    const counts = this.#counts;
    this.#counts = new Map();
    for (const { of, published, bytes, failures, min, max } of counts.values())
      channelPublished.publish({ ...of, published, bytes, failures, duration: { min, max } });
  }
}
