import { Injectable, type MessageEvent } from '@nestjs/common';
import { map, share, timer, type Observable } from 'rxjs';

const INTERVAL = 1_000;

/**
 * Emits the time every second. It needs no hub, as nobody wants the past of a clock: a plain Observable does. It is
 * shared, so that all listeners have one timer.
 */
@Injectable()
export class ClockService {
  readonly time: Observable<MessageEvent> = timer(0, INTERVAL).pipe(
    map(() => ({ type: 'server-time', data: new Date().toISOString() })),
    share(),
  );
}
