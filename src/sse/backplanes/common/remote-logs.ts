import type { LogBounds, LogEntry } from '../../log/event-log.js';
import type { LogRange, RangeQuery } from '../../log/backplane.js';
import type { StoredEvent } from '../../log/stored-event.js';
import type { Position } from '../../protocol/position.js';
import type { ChannelSettings } from '../../sse.settings.js';

/**
 * Port: the logs on a server that several processes share, as {@link RemoteBackplane} needs them.
 *
 * Calls are made only while the connection is not `away`. Every call rejects either with an SseError of `notSent()` or
 * `noAnswer()`, also when the connection breaks under it, or with `NotNow` to be sent again. Calls on one channel take
 * effect in the order in which they were made.
 *
 * No implementation may conclude from its own memory that a log is still the same: the server may have come back
 * older, empty or as another, with or without a sign of it. Only the mark of an event that is stored proves it.
 */
export interface RemoteLogs {
  /** The server's name in messages. */
  readonly server: string;

  /**
   * Tells of each change of the connection from now on, also of one that was lost and is there again. Called once,
   * before all else.
   *
   * @returns how it is at present
   */
  watch(changed: (connection: Connection) => void): Connection;

  /**
   * Stores an event with its mark, or finds the event that was stored under the same publish id.
   *
   * @param left milliseconds after which it must not be stored any more
   * @param number grows from call to call; a call that is made again after `NotNow` has the number it had
   */
  append(publication: Publication, left: number, number: number): Promise<Appended>;

  /**
   * Reads what is kept after the newest position of a local copy, or all that is kept if the log does not hold
   * that position. The answer has all that was stored, and all that was told of by a notice, before the call.
   * It keeps a channel that is there from expiring, and writes nothing for one that is not.
   *
   * @param known the head of the copy, if it has one
   * @param asked positions that clients have brought, of offset 0 or beyond the copy's head
   */
  readOn(
    channel: string,
    settings: ChannelSettings,
    known: Position | undefined,
    asked: readonly Position[],
  ): Promise<RemoteRange>;

  /** As {@link SseBackplane.read}. */
  read(channel: string, settings: ChannelSettings, query: RangeQuery): Promise<LogRange>;

  /** Ends a channel. Answers with its head, which is `completed` in the notice too. */
  complete(channel: string, settings: ChannelSettings): Promise<Position>;

  /** Lets go of all events. Answers with the newest of them; `undefined` if the channel is not there. */
  purge(channel: string): Promise<Position | undefined>;

  /**
   * Tells the notices of a channel until `unsubscribe()`. From when it resolves, everything that happens to the channel
   * is told while the connection is `up`. Subscriptions outlive a loss of the connection.
   *
   * @param left milliseconds that it may take; an implementation may ignore it
   */
  subscribe(channel: string, receive: (notice: Notice) => void, left: number): Promise<void>;

  unsubscribe(channel: string): void;

  /** Resolves when every notice that was sent before the call has been told. */
  noticesArrived(): Promise<void>;

  /** Milliseconds after which the copy of a channel that is followed is to be compared with the server again. */
  comparisonInterval(settings: ChannelSettings): number;

  /** The server's time in milliseconds since 1970, as far as is known; `at` of its events is by this clock. */
  now(): number;

  /** Gives back the connection. No call is made afterwards, and nothing told. */
  close(): Promise<void>;
}

/**
 * `away`: no call can be made. `silent`: calls can be made, and notices do not come. `up`: both. What happened before
 * it came `up` was not told, so every copy is read then.
 */
export type Connection = 'away' | 'silent' | 'up';

/** An event on its way to the server. */
export interface Publication {
  readonly channel: string;
  readonly settings: ChannelSettings;
  readonly event: StoredEvent;
  /** Made for this attempt alone. */
  readonly mark: string;
  readonly publishId: string | undefined;
}

export interface Appended {
  /** The position of the stored event: if an earlier attempt has stored it, with the mark of that one. */
  readonly position: Position;
  /** Left out if an earlier attempt has stored it, or if it is not known what it follows on. */
  readonly entry?: ReceivedEntry;
}

/** An entry as a server tells of it. */
export interface ReceivedEntry extends Omit<LogEntry, 'previous'> {
  /** The offset of the entry before it; 0 if it is the first. */
  readonly previous: number;
  /**
   * The newest earlier position of the same log whose mark the teller knew. In Redis always that of the entry before;
   * in NATS it may be an older one while several events are under way. A copy that never held it is of another log.
   * May be left out of the first event of a channel that was not there.
   */
  readonly known?: Position | undefined;
}

/** Something that has just happened to a channel. */
export type Notice =
  /** An entry was stored. It is decoded only where it is needed; `undefined` says that it cannot be. */
  | { readonly kind: 'entry'; readonly position: Position; readonly entry: () => ReceivedEntry | undefined }
  /** All up to this event was let go of. */
  | { readonly kind: 'purged'; readonly position: Position }
  /** The channel was completed, and this is its head. */
  | { readonly kind: 'completed'; readonly position: Position }
  /** Something has happened that a read finds out. */
  | { readonly kind: 'changed' };

/** All that a server keeps of a log after a position, up to `head`. */
export interface RemoteRange extends LogBounds {
  /**
   * The position in this log from which the copy goes on:
   * - `known` itself, if the log holds it, as its event or as the last one let go of;
   * - `known` itself, if it says that the channel is not there, which is still so, and is still valid;
   * - the birth of the log, if `known` says that the channel is not there, and the log has begun since and has let go
   *   of nothing;
   * - `undefined` if `known` is of no use: then `entries` is all that is kept.
   */
  readonly since: Position | undefined;
  /**
   * Floor and head of a channel that is not there are the position that says so: the known one as long as it is young,
   * and a new one after a quarter of the time for which it is valid.
   */
  readonly floor: Position;
  readonly head: Position;
  readonly entries: readonly LogEntry[];
  /** Everything up to this offset was purged. */
  readonly clearedAt: number;
  readonly completed: boolean;
  /**
   * The positions among those asked for that stand for the beginning of this log, whatever it has let go of since, or
   * for the absence of the channel where it is not there.
   */
  readonly begins: readonly Position[];
}
