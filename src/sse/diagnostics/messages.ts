import type { ConnectionDetails, StreamPosition } from '../connection-details.js';

/** Each message names its hub. */
export interface OfHub {
  /** The instance of the application: `SseCluster.instance`. A process may have several, as in tests. */
  readonly hub: string;
}

export interface OfChannel extends OfHub {
  readonly channel: string;
  /** The pattern of the definition that the channel is of; undefined where none matches. Metrics label by it. */
  readonly definition: string | undefined;
}

/** A response, as messages refer to it: the same object in all of them. What a getter gives is made when it is asked for. */
export interface ObservedConnection {
  readonly id: string;
  /** The request, as the adapter has it. */
  readonly request: object;
  /** As `hub.connections()` tells of it, at this moment. */
  readonly info: ConnectionDetails;
  /** How far it has read its channels, at this moment. */
  readonly positions: readonly StreamPosition[];
}

export interface OfConnection extends OfHub {
  readonly connection: ObservedConnection;
}

/**
 * The end of a response:
 *
 * - `completed`: its Observable has completed, or nothing was left for its client (204);
 * - `failed`: its Observable has failed, or an event could not be written;
 * - `client`: its client has left;
 * - `slow`: its client fell behind with `slow: 'disconnect'`;
 * - `overflow`: its client does not read, and more waits for it than may, of what cannot be paused;
 * - `gap`: a `plain` stream cannot be given to its end;
 * - `expired`: the identity of its user has;
 * - `revoked`: the last of its channels was taken away;
 * - `disconnected`: by `hub.disconnect()`, or as orders of other instances were missed;
 * - `age`: by `limits.connectionAge`;
 * - `shutdown`: the application closes;
 * - `refused`: an HTTP answer took the place of the stream.
 */
export type EndReason =
  | 'completed'
  | 'failed'
  | 'client'
  | 'slow'
  | 'overflow'
  | 'gap'
  | 'expired'
  | 'revoked'
  | 'disconnected'
  | 'age'
  | 'shutdown'
  | 'refused';

/** The limit for which a client was turned away; `shutdown` while the application closes. */
export type RefusingLimit = 'connections' | 'connectionsPerKey' | 'connectionsPerSecond' | 'shutdown';

/** The state of a backplane that is not closed: see `SseBackplane.state()`. */
export type ReachableState = 'ready' | 'behind' | 'away';

/** A call of `hub.publish()` or `hub.emit()`: the context of a tracing channel, one object from `start` to its end. */
export interface Publishing extends OfChannel {
  /** When it was called: `performance.now()`. */
  readonly startedAt: number;
  /** The event's type; undefined for a message. */
  readonly type: string | undefined;
  /**
   * W3C Trace Context of the event, in the form of the header `traceparent`. A listener of `publish:start` may set it, and
   * the event carries it to every instance. A text of another form is left out.
   */
  trace?: string | undefined;
  /** The size of the event in bytes, once it is encoded. */
  bytes?: number | undefined;
  /** The event's id, in `publish:asyncEnd`; the empty string where it has none. */
  result?: { readonly id: string } | undefined;
  /** In `publish:error`, and in `publish:asyncEnd` after it. */
  error?: unknown;
}

/**
 * The messages of the tracing channel of `hub.publish()` and `hub.emit()`, with the prefix `tracing:nestjs-sse-hub:`. All
 * of one call have the same object.
 */
export interface SsePublishing {
  /** The call begins. Comes in the asynchronous context of the caller. */
  'publish:start': Publishing;
  /** The event was refused, or may not be stored. */
  'publish:error': Publishing;
  /** The call is over, with `result` or `error`. */
  'publish:asyncEnd': Publishing;
}

/**
 * The names of the messages that the package publishes on `node:diagnostics_channel`, without the prefix
 * `nestjs-sse-hub:`, and their payloads. None is made where nobody has subscribed.
 */
export interface SseDiagnostics {
  /** A response was let in. Comes in the asynchronous context of its request, before its user is known. */
  'connection:began': OfConnection;
  /** The head of a response is sent. */
  'connection:opened': OfConnection & {
    /** Milliseconds since it was let in. */
    readonly duration: number;
    /** Whether its client came with a position. */
    readonly isResumed: boolean;
  };
  /** A response is over. Comes once for each that began, while `connection.info` still has its channels. `stream:ended` follows. */
  'connection:ended': OfConnection & {
    readonly reason: EndReason;
    /** Milliseconds since it was let in. */
    readonly duration: number;
  };
  /** A client was turned away by a limit. It has no connection. */
  'connection:refused': OfHub & { readonly limit: RefusingLimit; readonly path: string };
  /** Its client does not take what was written: streams of the hub wait. */
  'connection:backed-up': OfConnection;
  /** A response streams a channel from now on. */
  'stream:began': OfConnection & OfChannel;
  /** A response streams a channel no more. */
  'stream:ended': OfConnection & OfChannel;
  /** A client was told of a gap. */
  'stream:gap': OfConnection &
    OfChannel & {
      readonly reason: string;
      /** The position of the client, as in the data of the `gap` event; `oldest` and `latest` likewise. */
      readonly requested: string;
      readonly oldest: string | null;
      readonly latest: string;
    };
  /** A client does not get a channel, or has lost it. */
  'stream:denied': OfConnection & OfChannel & { readonly reason: string };
  /**
   * Events of a channel were handed on to streams, in responses and elsewhere. Comes at the end of the turn, after the
   * streams that take events in that turn have got them, or within 10 ms of the message before, for all turns since then. A
   * turn with traces has a message of its own. What an operator of a controller or a proxy does afterwards is not in it.
   */
  'channel:delivered': OfChannel & {
    /** How many: each event counts for each stream. */
    readonly deliveries: number;
    /** The size of what was handed on, in bytes of UTF-8 without the lines of ids; each stream counts. */
    readonly bytes: number;
    /** How many of the deliveries were of events from before the stream began. */
    readonly replayed: number;
    /** Milliseconds that its turns took, each from its first delivery until all of them are done. */
    readonly duration: number;
    /**
     * Milliseconds from the publishing of the other events to the end of their turn, by the clocks of the two instances: of
     * the newest and of the oldest. Undefined where all were replayed.
     */
    readonly lag: { readonly min: number; readonly max: number } | undefined;
    /** The offset of the newest of these events, for `hub.history()` and ids. */
    readonly upTo: number;
    /** Trace contexts of the events that were published with one, without those that were replayed: each once. */
    readonly traces: readonly string[];
  };
  /**
   * Calls of `publish()` and `emit()` came to an end; each of several channels counts. Comes for each channel at the end of
   * the turn, or within 10 ms of the messages before, for all turns since then.
   */
  'channel:published': OfChannel & {
    /** How many calls have stored an event, or found it stored before by its `publishId`. */
    readonly published: number;
    /** Their size in bytes. */
    readonly bytes: number;
    /** How many calls have failed, by the code of the `SseError`; `other` for another error. */
    readonly failures: ReadonlyMap<string, number>;
    /** Milliseconds from the call to its end: of the quickest, and of the slowest. */
    readonly duration: { readonly min: number; readonly max: number };
  };
  'channel:completed': OfChannel;
  'channel:purged': OfChannel;
  /** A method of the application, as one with `@OnSubscribe()`, has failed. */
  'hook:failed': OfChannel & { readonly hook: string; readonly error: unknown };
  /** `hub.pipe()` has begun. */
  'pipe:began': OfChannel;
  /** A pipe is over: with the number of its events where the source has come to its end, otherwise with the error that its caller gets. */
  'pipe:ended': OfChannel & { readonly published: number | undefined; readonly error: unknown };
  /** An order, as that of `hub.revoke()`, was carried out on this instance. */
  'order:obeyed': OfHub & {
    readonly about: string;
    /** The instance that gave it. */
    readonly from: string;
    /** How many streams it was done to here. */
    readonly streams: number;
  };
  /** Orders of other instances may have been missed: the streams of this one are ended. */
  'order:missed': OfHub;
  /** The backplane was reached again, has caught up, or is away. Not told when the application closes. */
  'backplane:changed': OfHub & {
    readonly state: ReachableState;
    readonly before: ReachableState;
    /** Milliseconds in the state before. */
    readonly duration: number;
  };
}
