import type { HistoryOptions } from '../sse.options.js';
import type { ChannelSettings } from '../sse.settings.js';
import type { Position } from '../protocol/position.js';
import type { EventLog, LogBounds, LogEntry } from './event-log.js';
import type { GapReason } from './sse-event.js';
import type { StoredEvent } from './stored-event.js';

/**
 * The store of the logs of all channels.
 *
 * An implementation passes the contract suite of this port. Calls may be made at any time and in any
 * number at once; those on one channel take effect in the order in which they were made. After
 * `close()` each of them rejects with `HUB_CLOSED`.
 *
 * **Positions.** Each attempt to store an event gives it a mark of its own, made by `newMark()`, which is stored
 * with it. A position names that very event: a log that was lost, rewound or replaced never holds a position of
 * the one before it.
 *
 * **Nothing yet.** Reading a channel that is not there creates nothing, anywhere. Such a channel has a position, too, of
 * offset 0. A client that comes back with it has missed nothing if the log that was made since is the first one, and
 * still has its first event. An implementation may forget that, and then there is a gap; it never takes a client with a
 * gap for one without.
 *
 * An implementation that keeps the logs on a server may lose its connection. It connects again by itself and then brings
 * every followed log up to date, without a hole: it reads the events that it missed, and where these are gone, the log's
 * `floor` says so. Until then `follow` and `read` reject with `BACKPLANE_AWAY`, perhaps after waiting for a limited
 * time, and `append` as said there. `state()` tells of it all the time.
 *
 * Implementations: backplanes/memory, lmdb, redis and nats.
 */
export interface SseBackplane {
  /**
   * Stores an event after all earlier ones of its channel. Resolves with its position when it is as
   * durable as the backplane promises. Followers in this process are told before it resolves.
   *
   * @param publishId the publisher's name for the event: within {@link PUBLISH_ID_MEMORY} it is stored once, and a second
   * attempt answers with the position of the first
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
   * Follows a channel, which need not be there. The log that it resolves with is kept up to date until
   * `stop()`: each entry is in it before the follower is told. A channel that is there is kept while it is
   * followed, however short its `ttl`.
   *
   * @throws SseError `HUB_FULL`, `BACKPLANE_AWAY`
   */
  follow(channel: string, settings: ChannelSettings, follower: LogFollower): Promise<FollowedLog>;

  /**
   * Part of the log of a channel, oldest first. With `after` the first `limit` events after it, with `upTo` the newest
   * `limit` up to and including it, with both the first `limit` between them, with neither the newest `limit`.
   *
   * If the log does not hold a position, `missing` says why; then the range begins at the oldest that is left, or ends
   * at the newest. The range of a channel that does not exist is empty, and its head is the position of offset 0.
   */
  read(channel: string, settings: ChannelSettings, query: RangeQuery): Promise<LogRange>;

  /** Ends a channel: followers everywhere are told, and `append` is refused for the channel's `ttl`. */
  complete(channel: string, settings: ChannelSettings): Promise<void>;

  /** Deletes all events of a channel, everywhere. Positions go on: its newest event becomes the floor. */
  purge(channel: string): Promise<void>;

  /** The numbers of this process. */
  stats(): BackplaneStats;

  /** Whether the logs can be had, as far as this process knows without asking anybody. */
  state(): BackplaneState;

  /**
   * Tells of each change of {@link state} from now on, until the returned function is called or the backplane is closed.
   * A listener does not throw. Left out where the state is `ready` until `close()`.
   */
  onStateChange?(listener: (state: BackplaneState) => void): () => void;

  /** Lets go of everything; no follower is told anything afterwards. */
  close(): Promise<void>;
}

/** Injection token of the port. */
export const SseBackplane = Symbol('SseBackplane');

/** Milliseconds for which a `publishId` is remembered, at least. */
export const PUBLISH_ID_MEMORY = 120_000;

/**
 * The events that a channel without history keeps all the same, so that a client that is slow for a moment, or an
 * instance that missed a notice, loses nothing. Nobody resumes from them.
 */
export const WINDOW: Required<HistoryOptions> = { count: 64, bytes: 256 * 1024, age: Infinity };

/** Follows a channel: the changes of its log, in order, one call at a time. It does not throw. */
export interface LogFollower {
  /** An entry was added to the log. */
  appended(entry: LogEntry): void;
  /** The log's `completed` was set. */
  completed(): void;
  /**
   * The channel is still not there, and its position of offset 0 has changed: the log's `head` is the new one. Called
   * before half of the time is over for which the old one is valid.
   */
  moved(): void;
  /**
   * The log will drop entries in this turn that were not offered yet, so a reader that can take them does so now. The call
   * may come in the midst of another, and before `appended` for the newest of them.
   */
  leaving(): void;
  /**
   * Another log has taken the place of the one before, as the server has another now. A reader whose position is in the
   * new log has missed nothing.
   */
  replaced(log: EventLog): void;
}

export interface FollowedLog {
  /** The log that was there when it resolved. */
  readonly log: EventLog;
  /**
   * Finds a position that the log does not hold, as a client that another process has served may know newer events. It
   * brings the log up to date with all that is stored at the time of the call, and resolves with the position in the log,
   * or in the one that has replaced it, that the given one stands for; `undefined` if there is none. Left out where the
   * log is always up to date.
   *
   * @throws SseError `BACKPLANE_AWAY`
   */
  locate?(position: Position): Promise<Position | undefined>;
  /**
   * Fetches the entries that the log had to drop in this process alone, for lack of memory, and replaces the log. A reader
   * that needs older events calls it first. `undefined` where nothing is missing.
   *
   * @throws SseError `BACKPLANE_AWAY`
   */
  refill?(): Promise<void> | undefined;
  stop(): void;
}

export interface RangeQuery {
  readonly after?: Position;
  readonly upTo?: Position;
  /** The most entries. */
  readonly limit: number;
}

/** Part of a log. */
export interface LogRange extends LogBounds {
  readonly entries: readonly LogEntry[];
  /** Why the log does not hold the position that was asked for. */
  readonly missing?: Extract<GapReason, 'evicted' | 'unknown'> | undefined;
}

/** The members of a log that {@link rangeOf} needs. */
export type ReadableLog = Pick<EventLog, 'floor' | 'head' | 'size' | 'at' | 'indexAfter' | 'missing'>;

/** The answer of {@link SseBackplane.read} where the whole log is at hand. */
export function rangeOf(log: ReadableLog, { after, upTo, limit }: RangeQuery): LogRange {
  const missingAfter = after && log.missing(after);
  const missingUpTo = upTo && log.missing(upTo);
  const end = upTo && !missingUpTo ? log.indexAfter(upTo.offset) : log.size;
  const oldest = after ? 0 : Math.max(0, end - limit);
  const start = after && !missingAfter ? log.indexAfter(after.offset) : oldest;
  const entries: LogEntry[] = [];
  for (let i = start; i < end && entries.length < limit; i++) entries.push(log.at(i) as LogEntry);
  return { floor: log.floor, head: log.head, entries, missing: missingAfter ?? missingUpTo };
}

/** The state of a backplane. `since` is a time of `performance.now()`. */
export type BackplaneState =
  /** Calls work, and each followed log is up to date. */
  | { readonly kind: 'ready' }
  /** Calls work again. Followed logs may lack events that were stored since then, and are brought up to date. */
  | { readonly kind: 'behind'; readonly since: number }
  /** No log can be followed since then, and other calls may fail as well. */
  | { readonly kind: 'away'; readonly since: number }
  /** `close()` was called. */
  | { readonly kind: 'closed' };

export interface BackplaneStats {
  readonly channels: number;
  readonly historyEvents: number;
  readonly historyBytes: number;
  /** Calls that were sent again since the start, as the server did nothing at first. Left out where there is no server. */
  readonly resent?: number;
}
