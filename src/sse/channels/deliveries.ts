import { channelDelivered } from '../diagnostics/diagnostics.js';
import type { OfChannel } from '../diagnostics/messages.js';
import { Telling } from '../diagnostics/telling.js';
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

/** Counts of what the streams of one channel were handed, in a turn or in several. */
class Tally {
  deliveries = 0;
  bytes = 0;
  replayed = 0;
  duration = 0;
  lag: { readonly min: number; readonly max: number } | undefined;
  upTo = 0;
  traces: Set<string> | undefined;
  #oldestAt = Infinity;
  #newestAt = -Infinity;
  readonly #beganAt = performance.now();

  add({ count, bytes, oldestAt, newestAt, upTo, traces }: Delivery, stretch: 'past' | 'live'): void {
    this.deliveries += count;
    this.bytes += bytes;
    if (upTo > this.upTo) this.upTo = upTo;
    if (stretch === 'past') {
      this.replayed += count;
      return;
    }
    if (oldestAt < this.#oldestAt) this.#oldestAt = oldestAt;
    if (newestAt > this.#newestAt) this.#newestAt = newestAt;
    for (const trace of traces) (this.traces ??= new Set()).add(trace);
  }

  /** Its turn is over. */
  end(): void {
    this.duration = performance.now() - this.#beganAt;
    if (this.#newestAt === -Infinity) return;
    const now = Date.now();
    this.lag = { min: now - this.#newestAt, max: now - this.#oldestAt };
  }

  /** Adds a later turn, which has ended and has no traces. */
  join({ deliveries, bytes, replayed, duration, lag, upTo }: Tally): void {
    this.deliveries += deliveries;
    this.bytes += bytes;
    this.replayed += replayed;
    this.duration += duration;
    if (upTo > this.upTo) this.upTo = upTo;
    if (!lag) return;
    const { min, max } = this.lag ?? lag;
    this.lag = { min: Math.min(min, lag.min), max: Math.max(max, lag.max) };
  }
}

/**
 * Counts what the streams of one channel are handed in a turn, and tells of it when the turn is over. A turn that follows
 * within 10 ms is told of together with others, as there may be thousands in a second. One with traces is told of by itself:
 * its message is about these.
 */
export class Deliveries implements Task {
  #turn: Tally | undefined;
  #untold: Tally | undefined;
  readonly #telling = new Telling(() => this.#tell());

  constructor(
    private readonly of: OfChannel,
    private readonly queue: RunQueue,
  ) {}

  /** @param stretch whether the events are from before the stream began */
  add(delivery: Delivery, stretch: 'past' | 'live'): void {
    if (!this.#turn) {
      this.#turn = new Tally();
      // In the next turn: in this one other streams of the channel are still to come, and bytes to be written.
      this.queue.addNext(this);
    }
    this.#turn.add(delivery, stretch);
  }

  run(): void {
    const turn = this.#turn as Tally;
    this.#turn = undefined;
    turn.end();
    if (this.#untold && !turn.traces) return this.#untold.join(turn);
    if (this.#untold) this.#telling.now();
    this.#untold = turn;
    if (turn.traces) this.#telling.now();
    else this.#telling.whenDue();
  }

  #tell(): void {
    const { deliveries, bytes, replayed, duration, lag, upTo, traces } = this.#untold as Tally;
    this.#untold = undefined;
    const counted = { deliveries, bytes, replayed, duration, lag, upTo };
    channelDelivered.publish({ ...this.of, ...counted, traces: traces ? [...traces] : NO_TRACES });
  }
}
