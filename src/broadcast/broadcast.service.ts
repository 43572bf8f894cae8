import { Inject, Injectable, Logger } from '@nestjs/common';
import { exhaustMap, ignoreElements, interval, merge, share, type Observable } from 'rxjs';
import { SseCluster, SseHub, whileLeading, type SseEvent } from '../sse/index.js';
import type { BroadcastClient, BroadcastEvent } from './broadcast-event.js';
import { Broadcast } from './broadcast.channels.js';

const TICK_INTERVAL = 2_000;

@Injectable()
export class BroadcastService {
  private readonly logger = new Logger(BroadcastService.name);

  /**
   * Publishes a tick every two seconds and emits nothing itself: what it publishes comes back by the channel.
   * Shared, so there is one timer for all who listen, on one instance of all, and none when nobody does.
   */
  private readonly ticks: Observable<never>;

  constructor(
    private readonly hub: SseHub,
    @Inject(SseCluster) cluster: SseCluster,
  ) {
    const ticking = interval(TICK_INTERVAL).pipe(
      exhaustMap(() => this.tick()),
      ignoreElements(),
    );
    this.ticks = whileLeading(cluster, 'broadcast/ticks', ticking).pipe(share());
  }

  events(): Observable<SseEvent> {
    return merge(this.hub.stream(Broadcast.of()), this.ticks);
  }

  /** @returns how many clients were listening when the event was sent. */
  async send(event: BroadcastEvent): Promise<number> {
    await this.hub.publish(Broadcast.of(), event);
    return this.hub.subscriberCount(Broadcast.of(), { everywhere: true });
  }

  /** Only what is nobody's secret: the hub knows their addresses too. */
  async clients(): Promise<BroadcastClient[]> {
    const connections = await this.hub.connections({ channel: Broadcast.of(), everywhere: true });
    return connections.map(({ id, connectedAt }) => ({ id, connectedAt }));
  }

  private async tick(): Promise<void> {
    try {
      await this.hub.publish(Broadcast.of(), { type: 'tick', data: new Date().toISOString() });
    } catch (error) {
      // A tick that fails is no reason to end everybody's stream.
      this.logger.error(error);
    }
  }
}
