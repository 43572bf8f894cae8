import type { CursorHost } from './cursor.js';
import { gapEvent } from '../log/published-event.js';

/** What a reader asks of the response, or of the plain subscription, that it reads for. */
export interface ReaderOwner extends Pick<
  CursorHost,
  | 'paused'
  | 'lags'
  | 'slow'
  | 'takesBatches'
  | 'makeRoom'
  | 'batch'
  | 'handedOn'
  | 'moved'
  | 'gap'
  | 'disconnect'
> {
  /** Whether its client can be shown the state of a channel. */
  readonly takesSnapshots: boolean;
  /** Runs user code in the context of the one who subscribed, not of whoever published. */
  inContext(task: () => void): void;
  /** A channel is streamed from now on. */
  subscribed(channel: string): void;
  /** A channel is streamed no more. */
  unsubscribed(channel: string): void;
  /** The position of every channel that was asked for is known. */
  located(): void;
  /**
   * What there was to read was handed on, as much as can be taken.
   *
   * @param isPrompt whether all channels were open, so that nobody else has waited for them as well
   */
  begun(isPrompt: boolean): void;
}

/**
 * A reader for nobody's response: a gap is an event among the others, there are no snapshots, and nothing
 * holds it up.
 */
export const PLAIN: ReaderOwner = {
  paused: false,
  lags: false,
  slow: 'gap',
  takesBatches: false,
  takesSnapshots: false,
  makeRoom: () => true,
  batch: () => undefined,
  handedOn: () => undefined,
  moved: () => undefined,
  gap: (cursor, gap) => {
    const { channel, read } = cursor;
    cursor.tell(gapEvent(gap, channel.hasHistory ? channel.idOf(read) : undefined));
  },
  disconnect: () => undefined,
  inContext: (task) => {
    task();
  },
  subscribed: () => undefined,
  unsubscribed: () => undefined,
  located: () => undefined,
  begun: () => undefined,
};
