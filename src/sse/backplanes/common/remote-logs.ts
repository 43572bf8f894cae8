import type { LogBounds, LogEntry } from '../../log/event-log.js';
import type { LogRange, RangeQuery } from '../../log/backplane.js';
import type { StoredEvent } from '../../log/stored-event.js';
import type { Position } from '../../protocol/position.js';
import type { ChannelSettings } from '../../sse.settings.js';

/**
 * Port: the logs on a server that several processes share, as {@link RemoteBackplane} needs them.
 *
 * Calls are made only while the connection is not `away`. A call rejects with an SseError of `notSent()` or `noAnswer()`,
 * also when the connection breaks under it, or with `NotNow` to be sent again. Calls on one channel take effect in the
 * order in which they were made.
 *
 * No implementation may conclude from its own memory that a log is still the same: the server may have come back with
 * older data, empty or as another server, with or without a sign. Only the mark of a stored event proves it.
 */
export interface RemoteLogs {
  /** The server's name in messages. */
  readonly server: string;

  /**
   * Tells of each change of the connection from now on. A connection that was lost and made again is a change, too.
   * Called once, before all else.
   *
   * @returns the present state
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
   * Reads the entries after the head of a local copy, or all if the log does not hold that head. The answer has all that
   * was stored, and all that a notice has told of, before the call. The read puts off the expiry of the channel; for an
   * absent channel it writes nothing.
   *
   * @param known the head of the copy, if it has one
   * @param asked positions of clients, of offset 0 or beyond the copy's head
   */
  readOn(
    channel: string,
    settings: ChannelSettings,
    known: Position | undefined,
    asked: readonly Position[],
  ): Promise<RemoteRange>;

  /** As {@link SseBackplane.read}. */
  read(channel: string, settings: ChannelSettings, query: RangeQuery): Promise<LogRange>;

  /** Completes a channel. Resolves with its head, which the notice of it has too. */
  complete(channel: string, settings: ChannelSettings): Promise<Position>;

  /** Lets go of all events. Resolves with the position of the newest; `undefined` if the channel is absent. */
  purge(channel: string): Promise<Position | undefined>;

  /**
   * Passes on the notices of a channel until `unsubscribe()`: once it has resolved, all of them while the connection is
   * `up`. Subscriptions outlive a loss of the connection.
   *
   * @param left milliseconds that it may take; an implementation may ignore it
   */
  subscribe(channel: string, receive: (notice: Notice) => void, left: number): Promise<void>;

  unsubscribe(channel: string): void;

  /** Resolves when every notice that was sent before the call has been passed on. */
  noticesArrived(): Promise<void>;

  /** Milliseconds after which a local copy is to be compared with the server again. */
  comparisonInterval(settings: ChannelSettings): number;

  /** The server's time in milliseconds since 1970, as well as it is known. Events have their `at` from this clock. */
  now(): number;

  /** Closes the connection. Afterwards no call is made, and no notice is passed on. */
  close(): Promise<void>;
}

/**
 * `away`: no call can be made. `silent`: calls can be made, but no notices come. `up`: both. When it becomes `up`, every
 * copy is read, as there were no notices before.
 */
export type Connection = 'away' | 'silent' | 'up';

/** An event on its way to the server. */
export interface Publication {
  readonly channel: string;
  readonly settings: ChannelSettings;
  readonly event: StoredEvent;
  /** A new one for each `publish()`. */
  readonly mark: string;
  readonly publishId: string | undefined;
}

export interface Appended {
  /** The position of the stored event. If an earlier attempt has stored it, it has the mark of that attempt. */
  readonly position: Position;
  /** Left out if an earlier attempt has stored it, or if the entry before it is not known. */
  readonly entry?: ReceivedEntry;
}

/** An entry as an answer or a notice has it. */
export interface ReceivedEntry extends Omit<LogEntry, 'previous'> {
  /** The offset of the entry before it; 0 if it is the first. */
  readonly previous: number;
  /**
   * The newest earlier position of the same log whose mark was known when the event was stored. In Redis it is that of
   * the entry before; in NATS it may be an older one while several events are under way. A copy that never held it is of
   * another log. May be left out for the first event of an absent channel.
   */
  readonly known?: Position | undefined;
}

/** Something that has just happened to a channel. */
export type Notice =
  /** An entry was stored. `entry()` decodes it, only where it is needed; `undefined` if it cannot be decoded. */
  | { readonly kind: 'entry'; readonly position: Position; readonly entry: () => ReceivedEntry | undefined }
  /** All events up to this one were purged. */
  | { readonly kind: 'purged'; readonly position: Position }
  /** The channel was completed, and this is its head. */
  | { readonly kind: 'completed'; readonly position: Position }
  /** Something else has happened: a read shows it. */
  | { readonly kind: 'changed' };

/** All that a server keeps of a log after a position, up to `head`. */
export interface RemoteRange extends LogBounds {
  /**
   * The position from which the copy goes on:
   * - `known`, if the log holds that event or let go of it last;
   * - `known`, if it is the position of an absent channel, still valid, and the channel is still absent;
   * - the birth of the log, if `known` is the position of an absent channel, and the log has begun since and has let go
   *   of nothing;
   * - `undefined` otherwise: `entries` is all that is kept.
   */
  readonly since: Position | undefined;
  /**
   * For an absent channel, floor and head are the position that says so: `known` as long as it is young, and a new one
   * after a quarter of the time for which it is valid.
   */
  readonly floor: Position;
  readonly head: Position;
  readonly entries: readonly LogEntry[];
  /** Everything up to this offset was purged. */
  readonly clearedAt: number;
  readonly completed: boolean;
  /**
   * The positions among `asked` that stand for the beginning of this log, whatever it has let go of since. For an absent
   * channel: those that say so and are valid.
   */
  readonly begins: readonly Position[];
}
