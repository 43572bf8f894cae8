import type { HistoryOptions } from '../sse.options.js';
import type { ChannelSettings } from '../sse.settings.js';
import type { Position } from '../protocol/position.js';
import type { EventLog, LogEntry } from './event-log.js';
import type { StoredEvent } from './stored-event.js';

/**
 * Where the logs of the channels are kept.
 *
 * An implementation passes the contract suite of this port. Calls may be made at any time and in any
 * number at once; those on one channel take effect in the order in which they were made. After
 * `close()` each of them rejects with `HUB_CLOSED`.
 *
 * One that keeps the logs elsewhere, for several processes, may lose its connection. It finds its way
 * back by itself and then brings every followed log up to date, without a hole: what it missed it reads,
 * and where that is gone, it says so by the log's `floor`. Until then `follow` and `read` reject with
 * `BACKPLANE_AWAY`, after a limited time of waiting perhaps, and `append` as said there.
 *
 * A log that comes back shorter than this process has seen it (a restored snapshot, a failover) must not
 * go on: other events would get ids that were given away. It starts a new epoch.
 */
export interface SseBackplane {
  /**
   * Stores an event after all earlier ones of its channel. Resolves with its position when it is as
   * durable as the backplane promises. Followers in this process are told before it resolves.
   *
   * @param publishId what makes a second attempt the same publication: within {@link PUBLISH_ID_MEMORY}
   * it is stored once, and both answer with its position
   * @throws SseError `CHANNEL_COMPLETED`, `HUB_FULL`, `PUBLISH_REJECTED`: it was not stored and never
   * will be. `PUBLISH_UNCERTAIN`: it was sent, and no answer came in time; a second attempt with the same
   * `publishId` finds out.
   */
  append(
    channel: string,
    settings: ChannelSettings,
    event: StoredEvent,
    publishId?: string,
  ): Promise<Position>;

  /**
   * Follows a channel, which comes into being if it is not there. The log that it resolves with is
   * kept up to date until `stop()`: each entry is in it before the follower is told. A channel that is
   * followed is not given back, however long its `ttl`.
   *
   * @throws SseError `HUB_FULL`, `BACKPLANE_AWAY`
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

  /** Ends a channel: followers everywhere are told, and `append` is refused for the channel's `ttl`. */
  complete(channel: string, settings: ChannelSettings): Promise<void>;

  /** Lets go of all events of a channel, everywhere. Its epoch and its offsets go on. */
  purge(channel: string): Promise<void>;

  /** What is held in this process. */
  stats(): BackplaneStats;

  /** Lets go of everything; no follower is told anything afterwards. */
  close(): Promise<void>;
}

/** Injection token of the port. */
export const SseBackplane = Symbol('SseBackplane');

/** Milliseconds for which a `publishId` is remembered, at least. */
export const PUBLISH_ID_MEMORY = 120_000;

/**
 * What a channel without history keeps all the same, so that a client that is slow for a moment, or an
 * instance that missed a notice, goes on from where it was. Nobody resumes from it.
 */
export const WINDOW: Required<HistoryOptions> = { count: 64, bytes: 256 * 1024, age: Infinity };

/** Is told of what happens to a channel, in order, one call at a time. It does not throw. */
export interface LogFollower {
  /** An entry was added to the log. */
  appended(entry: LogEntry): void;
  /** The log's `completed` was set. */
  completed(): void;
  /** The log will be emptied in this turn: who can take what is in it does so now. */
  emptying(): void;
  /** Another log has taken the place of the one before, which is to be let go of: the channel has a new epoch. */
  replaced(log: EventLog): void;
}

export interface FollowedLog {
  /** The log that was there when it resolved. */
  readonly log: EventLog;
  /**
   * Resolves when everything is in the log that is stored at the time of the call, or it cannot be had at
   * present. A client that another process has served may know more than has come here. Left out where no
   * other process stores anything.
   */
  refresh?(): Promise<void>;
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
