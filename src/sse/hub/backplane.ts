import type { ChannelSettings } from '../sse.settings.js';
import type { Position } from '../protocol/position.js';
import type { EventLog, LogEntry } from './event-log.js';
import type { StoredEvent } from './stored-event.js';

/**
 * Where the logs of the channels are kept.
 *
 * An implementation passes the contract suite of this port. Every call but the first on a channel may
 * be made at any time and in any number at once; calls on one channel take effect in the order in
 * which they were made. After `close()` each of them rejects with `HUB_CLOSED`.
 */
export interface SseBackplane {
  /**
   * Stores an event after all earlier ones of its channel. Resolves with its position when it is as
   * durable as the backplane promises; when it rejects nothing was stored. Followers are told before
   * it resolves.
   *
   * @throws SseError `CHANNEL_COMPLETED`, `HUB_FULL`
   */
  append(channel: string, settings: ChannelSettings, event: StoredEvent): Promise<Position>;

  /**
   * Follows a channel, which comes into being if it is not there. The log that it resolves with is
   * kept up to date until `stop()`: each entry is in it before the follower is told.
   *
   * @throws SseError `HUB_FULL`
   */
  follow(channel: string, settings: ChannelSettings, follower: LogFollower): Promise<FollowedLog>;

  /**
   * What is kept of a channel after a position, oldest first and at most `limit`; without a position
   * the newest `limit`. `undefined` if there is no such channel. Part of the range may be gone: then
   * `entries` begins with what is left, and `floor` is beyond the position asked for.
   */
  read(
    channel: string,
    range: { readonly after?: number; readonly limit: number },
  ): Promise<LogRange | undefined>;

  /** Ends a channel: followers are told, and `append` is refused for the channel's `ttl`. */
  complete(channel: string, settings: ChannelSettings): Promise<void>;

  /** Lets go of all events of a channel. Its epoch and its offsets go on. */
  purge(channel: string): Promise<void>;

  /** What is held in this process. */
  stats(): BackplaneStats;

  /** Lets go of everything; no follower is told anything afterwards. */
  close(): Promise<void>;
}

/** Injection token of the port. */
export const SseBackplane = Symbol('SseBackplane');

/** Is told of what happens to a channel, in order, one call at a time. It does not throw. */
export interface LogFollower {
  /** An entry was added to the log. */
  appended(entry: LogEntry): void;
  /** The log's `completed` was set. */
  completed(): void;
}

export interface FollowedLog {
  readonly log: EventLog;
  stop(): void;
}

/** Part of a log. */
export interface LogRange {
  readonly epoch: string;
  readonly floor: number;
  readonly head: number;
  readonly entries: readonly LogEntry[];
}

export interface BackplaneStats {
  readonly channels: number;
  readonly historyEvents: number;
  readonly historyBytes: number;
}
