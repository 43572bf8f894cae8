import { channelDelivered } from '../diagnostics/diagnostics.js';
import type { OfChannel } from '../diagnostics/messages.js';
import type { LogEntry } from '../log/event-log.js';
import type { RunQueue, Task } from './run-queue.js';

/** Events in a row that are handed on together, or one. */
export interface Delivery {
  readonly count: number;
  readonly bytes: number;
  /** When its oldest and its newest event were published, in milliseconds since 1970. */
  readonly oldestAt: number;
  readonly newestAt: number;
  /** The offset of its newest event. */
  readonly upTo: number;
  /** The trace contexts of its events. */
  readonly traces: readonly string[];
}

const NO_TRACES: readonly string[] = [];

/** Some events in a row as a delivery; there is at least one. */
export function deliveryOf(entries: readonly LogEntry[]): Delivery {
  const [first] = entries as [LogEntry];
  const last = entries.at(-1) as LogEntry;
  let bytes = 0;
  let traces: string[] | undefined;
  for (const { event } of entries) {
    bytes += event.bytes;
    if (event.trace !== undefined) (traces ??= []).push(event.trace);
  }
  const times = { oldestAt: first.at, newestAt: last.at };
  return { count: entries.length, bytes, ...times, upTo: last.offset, traces: traces ?? NO_TRACES };
}

/** Counts what the streams of one channel are handed in a turn, and tells it when the turn is over. */
export class Deliveries implements Task {
  #deliveries = 0;
  #bytes = 0;
  #replayed = 0;
  #oldestAt = Infinity;
  #newestAt = -Infinity;
  #upTo = 0;
  #beganAt = 0;
  readonly #traces = new Set<string>();

  constructor(
    private readonly of: OfChannel,
    private readonly queue: RunQueue,
  ) {}

  /** @param stretch whether the events are from before the stream began */
  add({ count, bytes, oldestAt, newestAt, upTo, traces }: Delivery, stretch: 'past' | 'live'): void {
    // In the next turn: in this one other streams of the channel are still to come, and bytes to be written.
    if (this.#deliveries === 0) {
      this.queue.addNext(this);
      this.#beganAt = performance.now();
    }
    this.#deliveries += count;
    this.#bytes += bytes;
    if (upTo > this.#upTo) this.#upTo = upTo;
    if (stretch === 'past') {
      this.#replayed += count;
      return;
    }
    if (oldestAt < this.#oldestAt) this.#oldestAt = oldestAt;
    if (newestAt > this.#newestAt) this.#newestAt = newestAt;
    for (const trace of traces) this.#traces.add(trace);
  }

  run(): void {
    const now = Date.now();
    const isLive = this.#newestAt > -Infinity;
    channelDelivered.publish({
      ...this.of,
      deliveries: this.#deliveries,
      bytes: this.#bytes,
      replayed: this.#replayed,
      duration: performance.now() - this.#beganAt,
      lag: isLive ? { min: now - this.#newestAt, max: now - this.#oldestAt } : undefined,
      upTo: this.#upTo,
      traces: [...this.#traces],
    });
    this.#deliveries = this.#bytes = this.#replayed = this.#upTo = 0;
    this.#oldestAt = Infinity;
    this.#newestAt = -Infinity;
    this.#traces.clear();
  }
}
