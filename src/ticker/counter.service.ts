import { Inject, Injectable, Logger } from '@nestjs/common';
import { concatMap, defer, exhaustMap, timer, type Observable, type Subscription } from 'rxjs';
import { OnFirstSubscriber, OnLastUnsubscribed, SseCluster, SseHub } from '../sse/index.js';
import { whileLeading, type SseEvent } from '../sse/index.js';
import { Counter } from './ticker.channels.js';

const INTERVAL = 2_000;

/** Counts while somebody listens, and goes on where it stopped when somebody listens again. */
@Injectable()
export class CounterService {
  private readonly logger = new Logger(CounterService.name);
  private num = 0;
  private counting: Subscription | undefined;

  constructor(
    private readonly hub: SseHub,
    @Inject(SseCluster) private readonly cluster: SseCluster,
  ) {}

  events(): Observable<SseEvent> {
    return this.hub.stream(Counter.of());
  }

  /** One timer for all listeners; it runs on one instance at a time. */
  @OnFirstSubscriber(Counter)
  start(): void {
    // The first client ever does not wait for a tick; later ones get the last event at once.
    const counting = defer(() => this.findNumber()).pipe(
      concatMap(() => timer(this.num === 0 ? 0 : INTERVAL, INTERVAL)),
      exhaustMap(() => this.count()),
    );
    this.counting = whileLeading(this.cluster, 'ticker/counter', counting).subscribe();
  }

  @OnLastUnsubscribed(Counter)
  stop(): void {
    this.counting?.unsubscribe();
  }

  /** Another instance, or this one before a restart, may have counted meanwhile. */
  private async findNumber(): Promise<void> {
    try {
      const { events } = await this.hub.history(Counter.of(), { limit: 1 });
      this.num = Math.max(this.num, events.at(-1)?.data.num ?? 0);
    } catch (error) {
      this.logger.error(error);
    }
  }

  private async count(): Promise<void> {
    this.num += 1;
    try {
      await this.hub.publish(Counter.of(), { data: { num: this.num, message: new Date().toISOString() } });
    } catch (error) {
      // A failed event must not end everybody's stream.
      this.logger.error(error);
    }
  }
}
