import { idLine } from '../protocol/event-stream.js';
import type { Position } from '../protocol/position.js';
import { Batch } from '../channels/channel.js';
import type { NamedPosition } from '../log/missed-position.js';
import type { PrefaceText } from '../streams/preface.js';

/** What a method with `@SseSnapshot()` is asked for. */
export interface SnapshotRequest<Params = Readonly<Record<string, string>>> {
  readonly channel: string;
  /** What stands for the parameters of the pattern, decoded. */
  readonly params: Params;
}

/** What a method with `@SseSnapshot()` returns. */
export interface SnapshotOf<State = unknown> {
  /** Any JSON value. */
  readonly state: State;
  /**
   * The id of the last event that the state includes: what `publish()` resolved with, or the `position` of
   * `hub.history()`. Without it the stream goes on from where the channel was before the method was called. One
   * of a log that is gone stands for the beginning of the one in its place, if that is kept.
   * Not looked at on a channel without history.
   */
  readonly after?: string | undefined;
}

/** The state of a channel, as it goes to every client that needs it. */
export class Snapshot implements PrefaceText {
  /** Its bytes for those whose id is the same, as it is where a response has one channel. */
  #batch: Batch | undefined;
  #id: string | undefined;

  constructor(
    /** The `snapshot` event without its id. */
    private readonly body: string,
    /** What the state includes. */
    readonly upTo: NamedPosition,
    readonly wasInLog: boolean,
  ) {}

  batch(id: string | undefined, upTo: Position): Batch {
    if (!this.#batch || this.#id !== id) {
      this.#batch = new Batch(id === undefined ? this.body : idLine(id) + this.body, upTo);
      this.#id = id;
    }
    return this.#batch;
  }
}
