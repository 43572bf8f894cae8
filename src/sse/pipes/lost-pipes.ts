import { Logger } from '@nestjs/common';
import type { ChannelWriter } from '../publishing/channel-writer.js';
import type { SseCluster } from '../cluster/cluster.js';
import type { Will } from '../cluster/wills.js';
import { tellLast, willOfText } from './pipe-will.js';

/** Milliseconds between two looks, here and at the pipes of this process. */
export const LOOK_INTERVAL = 1_000;

/**
 * Ends the channels of pipes whose process has ended without a word: listeners are told what the pipe has left
 * for that, and the channel is completed. One instance of all looks after them.
 */
export class LostPipes {
  readonly #logger = new Logger('SseHub');
  /** Wills that could not be carried out, and were said to be. */
  readonly #warned = new Set<string>();

  constructor(
    private readonly cluster: SseCluster,
    private readonly writer: ChannelWriter,
  ) {}

  /** @returns ends that */
  watch(): () => void {
    return this.cluster.lead('sse-hub pipes', (signal) => void this.#watch(signal));
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Without an answer the next look may have one.
      const wills = await this.cluster.wills.orphaned().catch(() => []);
      if (wills.length === 0) this.#warned.clear();
      for (const will of wills) if (!signal.aborted) await this.#carryOut(will);
      await pause(LOOK_INTERVAL, signal);
    }
  }

  async #carryOut({ instance, id, text }: Will): Promise<void> {
    try {
      const will = willOfText(text);
      await tellLast(id, will, this.writer);
      if (will.complete) await this.writer.complete(will.channel);
      await this.cluster.wills.remove(id, instance);
      this.#logger.warn(
        `The process that piped a source into "${will.channel}" has ended; its listeners were told.`,
      );
    } catch (error) {
      // What is away now is tried again at the next look, and so is what another version may understand.
      if (this.#warned.has(id)) return;
      this.#warned.add(id);
      this.#logger.warn(`A channel of a process that has ended cannot be ended yet: ${String(error)}`);
    }
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds).unref();
    signal.addEventListener('abort', end);
  });
}
