import { Injectable, Logger } from '@nestjs/common';
import { defer, exhaustMap, ignoreElements, merge, share, timer, type Observable } from 'rxjs';
import { SseHub, type SseEvent } from '../sse/index.js';
import { Counter } from './ticker.channels.js';

const INTERVAL = 2_000;

/** Counts while somebody listens, and goes on where it stopped when somebody listens again. */
@Injectable()
export class CounterService {
  private readonly logger = new Logger(CounterService.name);
  private num = 0;

  /** The one timer for all. Whoever is the first ever does not wait; later ones get the last event at once. */
  private readonly counting: Observable<never> = defer(() =>
    timer(this.num === 0 ? 0 : INTERVAL, INTERVAL),
  ).pipe(
    exhaustMap(() => this.count()),
    ignoreElements(),
    share(),
  );

  constructor(private readonly hub: SseHub) {}

  events(): Observable<SseEvent> {
    return merge(this.hub.stream(Counter.of()), this.counting);
  }

  private async count(): Promise<void> {
    this.num += 1;
    try {
      await this.hub.publish(Counter.of(), { data: { num: this.num, message: new Date().toISOString() } });
    } catch (error) {
      // One event that fails is no reason to end everybody's stream.
      this.logger.error(error);
    }
  }
}
