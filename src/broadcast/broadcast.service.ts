import { Inject, Injectable, Logger } from '@nestjs/common';
import { exhaustMap, interval, type Observable, type Subscription } from 'rxjs';
import { OnFirstSubscriber, OnLastUnsubscribed, SseCluster, SseHub } from '../sse/index.js';
import { whileLeading, type SseEvent } from '../sse/index.js';
import type { BroadcastClient, BroadcastEvent } from './broadcast-event.js';
import { Broadcast } from './broadcast.channels.js';

const TICK_INTERVAL = 2_000;

@Injectable()
export class BroadcastService {
  private readonly logger = new Logger(BroadcastService.name);

  private ticking: Subscription | undefined;

  constructor(
    private readonly hub: SseHub,
    @Inject(SseCluster) private readonly cluster: SseCluster,
  ) {}

  events(): Observable<SseEvent> {
    return this.hub.stream(Broadcast.of());
  }

  /** One timer for all listeners; it runs on one instance at a time. */
  @OnFirstSubscriber(Broadcast)
  startTicking(): void {
    const ticks = interval(TICK_INTERVAL).pipe(exhaustMap(() => this.tick()));
    this.ticking = whileLeading(this.cluster, 'broadcast/ticks', ticks).subscribe();
  }

  @OnLastUnsubscribed(Broadcast)
  stopTicking(): void {
    this.ticking?.unsubscribe();
  }

  /** @returns how many clients were listening when the event was sent. */
  async send(event: BroadcastEvent): Promise<number> {
    await this.hub.publish(Broadcast.of(), event);
    return this.hub.subscriberCount(Broadcast.of(), { everywhere: true });
  }

  /** Leaves out addresses, which the hub knows too. */
  async clients(): Promise<BroadcastClient[]> {
    const connections = await this.hub.connections({ channel: Broadcast.of(), everywhere: true });
    return connections.map(({ id, connectedAt }) => ({ id, connectedAt }));
  }

  private async tick(): Promise<void> {
    try {
      await this.hub.publish(Broadcast.of(), { type: 'tick', data: new Date().toISOString() });
    } catch (error) {
      // A failed tick must not end everybody's stream.
      this.logger.error(error);
    }
  }
}
