import { gapEvent } from '../log/published-event.js';
import type { Gap } from '../log/sse-event.js';
import type { SharedText } from '../protocol/event-stream.js';
import type { SlowPolicy } from '../sse.options.js';
import type { ChannelGate } from './channel-gate.js';
import type { Cursor } from './cursor.js';

/**
 * Whether a sink takes events now:
 *
 * - `none`: it takes more;
 * - `full`: it has enough for this turn, or waits for a Promise;
 * - `backed up`: its client does not take what was written.
 */
export type BackPressure = 'none' | 'full' | 'backed up';

/**
 * The output of a reader: a response, or a subscription outside one (`DETACHED`).
 *
 * A cursor asks for `backPressure` before each event and goes on when its reader is told to `resume()`. Events go to
 * subscriptions, in `inContext()`, or as batches of bytes straight to the sink, where `takesBatches`.
 */
export interface Sink {
  /** Decides which channels it gets; undefined where all are open. */
  readonly gate: ChannelGate | undefined;
  /** The policy for a slow client, in place of the channel's setting. */
  readonly slow: SlowPolicy | undefined;
  /** Whether it takes events as bytes. Then it reads one channel. */
  readonly takesBatches: boolean;
  /** Whether its client can be sent a preface. */
  readonly takesPrefaces: boolean;
  /** The state of the method whose result it sends: streams that the method made belong to the response. */
  readonly method: 'running' | 'subscribing' | 'returned';
  readonly backPressure: BackPressure;
  /** Writes the gathered events at once, to take more. @returns whether it takes more now */
  flushForRoom(): boolean;
  /** Sends bytes that all clients share: a batch, or a preface. */
  write(shared: SharedText): void;
  /** All subscriptions that want an event have got it. */
  eventEmitted(): void;
  /**
   * Its client's position has moved without an event. The next heartbeat tells the client; `urgent` if the log may have
   * let go of the old position by then.
   */
  moved(when: 'urgent' | 'lazy'): void;
  gap(cursor: Cursor, gap: Gap): void;
  /** The log has moved past the client, and the policy is to disconnect it. */
  disconnect(): void;
  /** Runs user code in the context of the one who subscribed, not of whoever published. */
  inContext(task: () => void): void;
  /** A channel is streamed from now on. */
  subscribed(channel: string): void;
  /** A channel is streamed no more. */
  unsubscribed(channel: string): void;
  /** The position of every channel that was asked for is known. */
  positionsKnown(): void;
  /**
   * Every cursor has started and handed on as much as the sink takes. `later` if something had to be waited for: then other
   * streams may have waited for the same, and go on in the same turn.
   */
  allStarted(when: 'at once' | 'later'): void;
}

/**
 * The sink of a subscription outside a response: a gap is an event among the others, there are no prefaces, and
 * nothing holds it up.
 */
export const DETACHED: Sink = {
  gate: undefined,
  slow: 'gap',
  takesBatches: false,
  takesPrefaces: false,
  method: 'returned',
  backPressure: 'none',
  flushForRoom: () => true,
  write: () => undefined,
  eventEmitted: () => undefined,
  moved: () => undefined,
  gap: (cursor, gap) => {
    const { channel, read } = cursor;
    cursor.tell(gapEvent(gap, channel.hasHistory ? channel.idOf(read) : undefined));
  },
  disconnect: () => undefined,
  inContext: (task) => task(),
  subscribed: () => undefined,
  unsubscribed: () => undefined,
  positionsKnown: () => undefined,
  allStarted: () => undefined,
};
