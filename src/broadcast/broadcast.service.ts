import { Injectable, Logger } from '@nestjs/common';
import { exhaustMap, ignoreElements, interval, merge, share, type Observable } from 'rxjs';
import { SseHub, type SseEvent } from '../sse/index.js';
import type { BroadcastClient, BroadcastEvent } from './broadcast-event.js';
import { Broadcast } from './broadcast.channels.js';

const TICK_INTERVAL = 2_000;

@Injectable()
export class BroadcastService {
  private readonly logger = new Logger(BroadcastService.name);

  /**
   * Publishes a tick every two seconds and emits nothing itself: what it publishes comes back by the channel.
   * Shared, so there is one timer for all who listen, and none when nobody does.
   */
  private readonly ticks: Observable<never> = interval(TICK_INTERVAL).pipe(
    exhaustMap(() => this.tick()),
    ignoreElements(),
    share(),
  );

  constructor(private readonly hub: SseHub) {}

  events(): Observable<SseEvent> {
    return merge(this.hub.stream(Broadcast.of()), this.ticks);
  }

  /** @returns how many clients were listening when the event was sent. */
  async send(event: BroadcastEvent): Promise<number> {
    await this.hub.publish(Broadcast.of(), event);
    return this.hub.subscriberCount(Broadcast.of());
  }

  /** Only what is nobody's secret: the hub knows their addresses too. */
  async clients(): Promise<BroadcastClient[]> {
    const connections = await this.hub.connections({ channel: Broadcast.of() });
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
