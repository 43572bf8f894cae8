import type { Channels } from '../channels/channels.js';
import type { ScatterGather } from './scatter-gather.js';

/** Counts the streams that read a channel, in responses and elsewhere. */
export class SubscriberCounts {
  constructor(
    private readonly channels: Channels,
    private readonly instances: ScatterGather,
  ) {
    instances.answer('subscribers', ({ channel }: { readonly channel: string }) => [this.here(channel)]);
  }

  /** In this process. */
  here(channel: string): number {
    return this.channels.subscriberCount(channel);
  }

  /** @throws SseError `BACKPLANE_AWAY`, `HUB_CLOSED` */
  async everywhere(channel: string): Promise<number> {
    const { answers } = await this.instances.ask<number>('subscribers', { channel });
    return answers.flatMap(({ items }) => items).reduce((sum, count) => sum + count, this.here(channel));
  }
}
