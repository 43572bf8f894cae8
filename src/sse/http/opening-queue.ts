import { AsyncResource } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { RunQueue, type Task } from '../channels/run-queue.js';
import type { SseConnection } from './sse-connection.js';
import { UnusedSockets } from './unused-sockets.js';

/** Milliseconds of a turn of the event loop in which responses begin. */
const SLICE = 10;
/** Responses that wait when new sockets begin to, and then those that are read in a turn: about what a slice has room for. */
const MANY = 16;

/**
 * Has responses begin in the order in which they came. Those that come in the first milliseconds of a turn of the event loop
 * begin at once. When very many come together, as after a restart, the others wait, and each further turn takes as many as
 * fit in a slice of it: deliveries, other requests and timers get theirs in between. Meanwhile new sockets wait as well, since to
 * parse and to route thousands of requests in a turn would hold it as long.
 *
 * A response that waits was let in: it counts, it is listed, and it may be ended, as one that waits for `identify`.
 */
@Injectable()
export class OpeningQueue implements Task {
  readonly #waiting = new Map<SseConnection, () => void>();
  /** When the slice of this turn is over: `performance.now()`. Undefined while none has begun. */
  #until: number | undefined;

  constructor(
    private readonly queue: RunQueue,
    private readonly sockets: UnusedSockets,
  ) {}

  /** @param begin never throws */
  add(connection: SseConnection, begin: () => void): void {
    if (this.#waiting.size === 0 && this.#isInSlice()) {
      // Node takes one new connection a turn, so the next client comes the sooner the shorter this one is.
      this.queue.hurry();
      return begin();
    }
    // The response will begin in a turn of other requests.
    this.#waiting.set(connection, AsyncResource.bind(begin));
    if (this.#waiting.size >= MANY) this.sockets.hold();
  }

  /** A response is over. */
  delete(connection: SseConnection): void {
    this.#waiting.delete(connection);
  }

  run(): void {
    const hasReleased = this.sockets.release(MANY);
    // After the other tasks of this turn: deliveries may take all of their time, and would take that of the responses as well.
    process.nextTick(() => {
      this.#until = undefined;
      if (hasReleased) this.#beginSlice();
      this.#beginNext();
    });
  }

  #beginNext(): void {
    const [next] = this.#waiting;
    if (!next || !this.#isInSlice()) return;
    const [connection, begin] = next;
    this.#waiting.delete(connection);
    begin();
    // Most of a beginning runs in microtasks, up to the write of the head: the time is looked at after these.
    queueMicrotask(() => process.nextTick(() => this.#beginNext()));
  }

  #isInSlice(): boolean {
    return performance.now() < (this.#until ?? this.#beginSlice());
  }

  /** @returns its end. The next turn has another one. */
  #beginSlice(): number {
    this.queue.addNext(this);
    return (this.#until = performance.now() + SLICE);
  }
}
