/**
 * How much of a channel's past is kept. Events leave the log, the oldest first, when any of the three is exceeded; count
 * and bytes always leave the newest event.
 */
export interface HistoryOptions {
  /** Events. @defaultValue 100 */
  readonly count?: number;
  /** Bytes of the events as they are sent. @defaultValue 1 MiB */
  readonly bytes?: number;
  /** Milliseconds since an event was published; `Infinity` for no limit. @defaultValue Infinity */
  readonly age?: number;
}

/** The first events for a client without a position: none, all that the log has, or the last n. */
export type Replay = 'none' | 'all' | number;

/** An event as the key function of {@link LatestPolicy} sees it. */
export interface KeyedEvent {
  readonly channel: string;
  readonly type?: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a channel without a definition has data of any type
  readonly data: any;
}

/** For prices and progress: a client that does not keep up gets only the newest event of each key. */
export interface LatestPolicy<Event = KeyedEvent> {
  /**
   * Gives an event's key. Of two events with the same key only the newer one matters. Called once for each event
   * that is published while a client with this policy is connected.
   */
  readonly latest: (event: Event) => unknown;
}

/**
 * The treatment of a slow client. With `gap` and `disconnect` it gets every event for as long as the log has them; once the
 * log has moved past it, `gap` tells it and goes on with the events that are left, and `disconnect` ends its connection,
 * so that it reconnects and resumes. With `{ latest }` a client that does not take what was written to it gets, when it
 * does, only the newest event of each key among those that it has not read.
 */
export type SlowPolicy<Event = KeyedEvent> = 'gap' | 'disconnect' | LatestPolicy<Event>;

/** How a channel keeps track of its members. */
export interface PresenceOptions {
  /**
   * Publish `join` and `leave` to the channel itself, with a `PresenceEvent` as data. They are ordinary events of its
   * log, and one instance publishes them for all. Do not publish these two types there yourself.
   * @defaultValue false
   */
  readonly events?: boolean;
  /**
   * Milliseconds for which somebody without a connection stays a member, so that reloading a page is not leaving.
   * @defaultValue 5_000
   */
  readonly grace?: number;
}

/** Options of a channel: in `forRoot()` the defaults of all channels, in a definition those of its own. */
export interface ChannelOptions {
  /**
   * How much of the past is kept for clients that come back. With `0` the hub makes no ids, and nobody resumes.
   * @defaultValue `{ count: 100, bytes: 1 MiB, age: Infinity }`
   */
  readonly history?: HistoryOptions | 0;
  /**
   * Milliseconds after which a channel to which nobody publishes or listens is given back. A later publish begins
   * a new log. `Infinity` keeps the channel for ever. @defaultValue 600_000
   */
  readonly ttl?: number;
  /** The first events for a client without a position. @defaultValue 'none' */
  readonly replay?: Replay;
  /** The treatment of a slow client. @defaultValue 'gap' */
  readonly slow?: SlowPolicy;
  /**
   * Compress responses whose channels all say so, for clients that take gzip. An event is compressed once for all of them,
   * so that a client costs no memory and hardly any time. A response is left as it is where something else has a hand in
   * its bytes, on HTTP/1.0, and on a stock route, whose head Nest sends.
   *
   * Do not compress a channel in which secrets stand beside text that a stranger chooses: whoever sees the lengths of the
   * encrypted packets may find out the secrets by trying (BREACH, CVE-2013-3587). @defaultValue false
   */
  readonly compress?: boolean;
  /**
   * Keep track of who streams the channel, by the users that `identify` names: for `hub.presence()`, and for `join` and
   * `leave` where the options ask for them. @defaultValue false
   */
  readonly presence?: boolean | PresenceOptions;
}

/** Limits of the whole process. */
export interface SseLimits {
  /** Open streams. The next one is turned away as `whenFull` says. @defaultValue 20_000 */
  readonly connections?: number;
  /**
   * Open streams of one `connectionKey`, which is the client's address by default. No number suits many applications:
   * an office shares one address, and all clients do behind a proxy that the adapter was not told to trust.
   * @defaultValue Infinity
   */
  readonly connectionsPerKey?: number;
  /**
   * Streams that are let in within a second, and the largest burst of them. Further ones are turned away as `whenFull`
   * says. @defaultValue Infinity
   */
  readonly connectionsPerSecond?: number;
  /**
   * Milliseconds after which a stream is ended with a `retry:`, so that an EventSource comes back and resumes. Each
   * stream ends at a random moment of the second half of that time, so that clients which came together do not leave
   * together. From 1 to 2,147,483,647.
   *
   * This bounds how long a client is counted whose network went away without a FIN. Without it TCP decides: on Linux
   * it gives up after about 15 minutes (941 s were measured with the default heartbeat). Until then the client counts
   * in `connections` and `connectionsPerKey`, and is a member where there is presence. It is off by default, as each
   * end costs every client a reconnect, an Observable that is no hub stream begins anew, and a client that does not
   * reconnect loses its stream. @defaultValue Infinity
   */
  readonly connectionAge?: number;
  /**
   * Channels of one response. More are refused with `TOO_MANY_CHANNELS`. @defaultValue 50; 500 where the client has asked
   * for own ids, as `nestjs-sse-hub/client` does, because other ids have a position of each channel
   */
  readonly channelsPerConnection?: number;
  /**
   * Channels that have a log. A publish to one more rejects with `HUB_FULL`; a client that streams one more is turned
   * away as `whenFull` says. @defaultValue 1_000_000
   */
  readonly channels?: number;
  /** Bytes of all logs together. The log that was idle longest is emptied first. @defaultValue 256 MiB */
  readonly historyBytes?: number;
  /**
   * Bytes that may wait for a client that does not read, counting only what cannot be paused: values of an Observable
   * that is no hub stream, and messages about its channels such as gaps and denials. With more it is disconnected.
   * @defaultValue 1 MiB
   */
  readonly queuedBytes?: number;
  /**
   * Channels that one connection of the ready-made endpoint may join in a second, by POST; further joins are answered
   * with 429. The largest burst is `channelsPerConnection`. @defaultValue 10
   */
  readonly joinsPerSecond?: number;
  /**
   * Members of one channel that has `presence`. Further users stream the channel all the same and are no members,
   * until a connection of theirs begins while there is room. @defaultValue 10_000
   */
  readonly membersPerChannel?: number;
}

/**
 * Names the owner of a stream, for `limits.connectionsPerKey`.
 *
 * @param request the adapter's own, with all that guards have put on it
 * @returns undefined for a stream that is not counted
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the application knows the type of its adapter's request
export type ConnectionKey = (request: any) => string | undefined;

/** How the application closes, and how its open streams end. */
export interface ShutdownOptions {
  /**
   * Milliseconds before that for which `hub.health().ready` is `down` and everything is served as before, so that a
   * balancer which asks for it sends no new clients here. Give it the time in which yours notices: with three checks, one
   * every 2 seconds, at least 6,000. A process without a listening HTTP server does not wait. @defaultValue 0
   */
  readonly notice?: number;
  /** Milliseconds that a client has to read its last bytes; then its socket is destroyed. @defaultValue 1_000 */
  readonly grace?: number;
  /** Milliseconds over which the reconnects of all clients are spread; `0` for none. @defaultValue 5_000 */
  readonly spread?: number;
}

/** How `hub.health()` judges. */
export interface HealthOptions {
  /**
   * Milliseconds for which the backplane may be away until `ready` is `down`; until then it is `degraded`. `Infinity` for
   * never: choose it where all instances share one server, and a balancer without instances would serve clients worse
   * than instances that turn them away. @defaultValue 30_000
   */
  readonly awayGrace?: number;
}

/** Options of the module that are plain values. Those of a channel are the defaults of all channels. */
export interface SseBaseOptions extends ChannelOptions {
  /** The largest event that `publish()` takes, in bytes as it is sent. @defaultValue 1 MiB */
  readonly maxEventBytes?: number;
  /**
   * Milliseconds of silence after which a comment is sent, as the WHATWG HTML standard advises (9.2.7, "Authoring
   * notes"); `0` for none. @defaultValue 15_000
   */
  readonly heartbeat?: number;
  /** Milliseconds that a client waits before it reconnects, sent as `retry:` (WHATWG HTML, 9.2.6). @defaultValue 2_000 */
  readonly retry?: number;
  /** Refuse channel names that match no definition, with `UNKNOWN_CHANNEL`. @defaultValue false */
  readonly strictChannels?: boolean;
  /**
   * Refuse to start while a class with `@AuthorizeChannel()`, `@SseSnapshot()`, `@OnSubscribe()` or the like is
   * loaded and no module of any application in this process provides it. `false` only warns, for tests of a part of an
   * application. @defaultValue true
   */
  readonly strictHandlers?: boolean;
  readonly limits?: SseLimits;
  /**
   * Names the owner of a stream, for `limits.connectionsPerKey`. It is called after the guards, so that it may name a
   * user. An error that it throws is answered by the exception filters.
   *
   * @defaultValue `request.ip`, which follows the adapter's setting for proxies (`trust proxy` of Express, `trustProxy`
   * of Fastify), or the address of the socket where an adapter has no `ip`
   */
  readonly connectionKey?: ConnectionKey;
  /**
   * How a stream is turned away when there are too many connections or channels. `retry` answers 200 with a `retry:` and
   * ends, as an EventSource that gets an error status never comes back (WHATWG HTML, 9.2.3). `refuse` answers 503 with
   * `Retry-After`, or 429 where one key has too many, for clients that are no EventSource. @defaultValue 'retry'
   */
  readonly whenFull?: 'retry' | 'refuse';
  /**
   * How routes with Nest's own `@Sse()` are served. `serve` gives them heartbeats, limits, an end at shutdown, and hub
   * streams that resume. Nest sends their head at once then, as it does wherever an interceptor applies, so a status, a
   * header or a cookie that a method sets after an `await` comes too late. `leave` leaves them to Nest: their hub streams
   * begin anew with each connection, **no method with `@AuthorizeChannel()` is asked**, and `revoke()`, `disconnect()`
   * and the shutdown do not reach them. @defaultValue 'serve'
   */
  readonly stockRoutes?: 'serve' | 'leave';
  readonly shutdown?: ShutdownOptions;
  readonly health?: HealthOptions;
  /**
   * Access to channels that no method with `@AuthorizeChannel()` covers: `open` is for everybody who gets past the
   * guards of a route, `deny` for nobody, on all routes. Streams with `authorize: false`, and those that the application
   * itself subscribes to, are not affected. The ready-made endpoint always denies such channels. @defaultValue 'open'
   */
  readonly unguarded?: 'open' | 'deny';
  /** Milliseconds that a method with `@AuthorizeChannel()` may take; then its answer is no. @defaultValue 5_000 */
  readonly authorizeTime?: number;
  /**
   * Milliseconds after which methods with `@AuthorizeChannel()` are asked again about open streams; `0` for never.
   * @defaultValue 0
   */
  readonly reauthorize?: number;
  /** Milliseconds that a method with `@SseSnapshot()` may take; then the response fails. @defaultValue 5_000 */
  readonly snapshotTime?: number;
}
