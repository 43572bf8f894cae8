import { Injectable, type MessageEvent } from '@nestjs/common';
import { map, share, timer, type Observable } from 'rxjs';

const INTERVAL = 1_000;

/**
 * The time, every second. It needs no hub: the past of a clock is worth nothing to whoever was away, so an
 * Observable of one's own does, shared so that there is one timer however many listen.
 */
@Injectable()
export class ClockService {
  readonly time: Observable<MessageEvent> = timer(0, INTERVAL).pipe(
    map(() => ({ type: 'server-time', data: new Date().toISOString() })),
    share(),
  );
}
