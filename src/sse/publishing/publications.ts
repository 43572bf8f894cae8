import { channelPublished } from '../diagnostics/diagnostics.js';
import type { OfChannel, Publishing } from '../diagnostics/messages.js';
import { codeOf } from '../sse.errors.js';

/** The publishing to one channel in a turn. */
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

/** Counts calls of `publish()` by channel, and tells of those that came to an end in a turn when it is over. */
export class Publications {
  #counts = new Map<string, Count>();

  /** Counts a call at its end. @returns the end, with what `resultOf` makes of it */
  counted<Stored, Result>(
    publishing: Publishing,
    end: Promise<Stored>,
    resultOf: (stored: Stored) => Result,
  ): Promise<Result> {
    return end.then(
      (stored) => {
        const count = this.#ended(publishing);
        count.published++;
        count.bytes += publishing.bytes ?? 0;
        return resultOf(stored);
      },
      (error: unknown) => {
        const { failures } = this.#ended(publishing);
        const code = codeOf(error);
        failures.set(code, (failures.get(code) ?? 0) + 1);
        throw error;
      },
    );
  }

  #ended({ hub, channel, definition, startedAt }: Publishing): Count {
    if (this.#counts.size === 0) setImmediate(() => this.#tell());
    let count = this.#counts.get(channel);
    if (!count) {
      const of = { hub, channel, definition };
      count = { of, published: 0, bytes: 0, failures: new Map(), min: Infinity, max: 0 };
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
