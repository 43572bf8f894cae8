/** How much of a channel's past is kept. What is reached first counts; but for age the newest event stays. */
export interface HistoryOptions {
  /** Events. @defaultValue 100 */
  readonly count?: number;
  /** Bytes of the events as they go out. @defaultValue 1 MiB */
  readonly bytes?: number;
  /** Milliseconds since an event was published; `Infinity` for no limit. @defaultValue Infinity */
  readonly age?: number;
}

/** What a client without a position is given first: nothing, all the log has, or the last n events. */
export type Replay = 'none' | 'all' | number;

/** An event, as the key function of {@link LatestPolicy} sees it. */
export interface KeyedEvent {
  readonly channel: string;
  readonly type?: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- of a channel without a definition nothing is known
  readonly data: any;
}

/** For prices and progress: a client that lags is given only the newest event of each key. */
export interface LatestPolicy<Event = KeyedEvent> {
  /**
   * What two events have in common of which only the newer one matters. Called once for each event that
   * is published while a client with this policy is there.
   */
  readonly latest: (event: Event) => unknown;
}

/**
 * What happens to a client that was so slow that the log has moved past it: `gap` tells it and goes
 * on with what is left, `disconnect` ends its connection, so that it reconnects and resumes, and
 * `{ latest }` goes on with the newest event of each key, of all that it has not read.
 */
export type SlowPolicy<Event = KeyedEvent> = 'gap' | 'disconnect' | LatestPolicy<Event>;

/** How it is known who is in a channel. */
export interface PresenceOptions {
  /**
   * Publish `join` and `leave` to the channel itself, with a `PresenceEvent` as data: ordinary events of
   * its log, by one instance of all. The application does not publish these two types there. @defaultValue false
   */
  readonly events?: boolean;
  /**
   * Milliseconds for which somebody without a connection stays a member: who reloads a page does not leave.
   * @defaultValue 5_000
   */
  readonly grace?: number;
}

/** What can be said of a channel: by the module for all of them, by a definition for its own. */
export interface ChannelOptions {
  /**
   * How much of the past is kept for clients that come back; `0` for none: then the hub makes no
   * ids and nobody resumes.
   */
  readonly history?: HistoryOptions | 0;
  /**
   * Milliseconds after which a channel without publishing and without listeners is given back. When
   * it comes again it is another log. `Infinity` keeps it for ever. @defaultValue 600_000
   */
  readonly ttl?: number;
  /** What a client without a position is given first. @defaultValue 'none' */
  readonly replay?: Replay;
  /** What happens to a client that the log has moved past. @defaultValue 'gap' */
  readonly slow?: SlowPolicy;
  /**
   * Whether it is known who streams the channel, as `identify` names them: for `hub.presence()`, and for events
   * where the options say so. @defaultValue false
   */
  readonly presence?: boolean | PresenceOptions;
}

/** Limits of the whole process. Each has its answer when it is reached. */
export interface SseLimits {
  /** Open streams; the next one is turned away as `whenFull` says. @defaultValue 20_000 */
  readonly connections?: number;
  /**
   * Open streams of one `connectionKey`: of one address, if that is left as it is. There is no default that
   * is right for many: an office shares one address, and behind a proxy that the adapter was not told to
   * trust all clients do. @defaultValue Infinity
   */
  readonly connectionsPerKey?: number;
  /**
   * Streams that are let in within a second, and so many at once; more are turned away as `whenFull` says. What
   * a server can take, its operator knows. @defaultValue Infinity
   */
  readonly connectionsPerSecond?: number;
  /**
   * Milliseconds after which a stream is ended with a `retry:`, so that an EventSource comes back and resumes. Each
   * ends at a random moment of the second half of that time, so that those who came together do not leave
   * together. From 1 to 2,147,483,647.
   *
   * It bounds how long a client is counted whose network is gone without a FIN: until TCP gives up what was sent
   * to it, on Linux about 15 minutes (941 s were measured with the default heartbeat); until then it holds its
   * place in `connections` and `connectionsPerKey`, and is present where there is presence. There is no default, as
   * each end costs every client a reconnect, a stream that is none of the hub begins anew, and clients that do not
   * reconnect lose it. @defaultValue Infinity
   */
  readonly connectionAge?: number;
  /** Channels of one response; a larger set is a `TOO_MANY_CHANNELS`. @defaultValue 50 */
  readonly channelsPerConnection?: number;
  /**
   * Channels that have a log. The next one is a `HUB_FULL` for who publishes to it; who streams it is
   * turned away as `whenFull` says. @defaultValue 1_000_000
   */
  readonly channels?: number;
  /** Bytes of all logs together; the log that was idle longest is emptied first. @defaultValue 256 MiB */
  readonly historyBytes?: number;
  /**
   * Bytes that may wait for a client that does not read, of what cannot be paused: an Observable that is no
   * hub stream, and what the client is told of its channels. Then it is disconnected. @defaultValue 1 MiB
   */
  readonly queuedBytes?: number;
  /**
   * Channels that one connection of the ready endpoint may join in a second, by POST; beyond it gets 429. At
   * once it may join as many as `channelsPerConnection`. @defaultValue 10
   */
  readonly joinsPerSecond?: number;
  /**
   * Members of one channel that has `presence`. Who comes beyond them streams the channel all the same and is
   * no member, until a connection of theirs begins when there is room. @defaultValue 10_000
   */
  readonly membersPerChannel?: number;
}

/**
 * Says whose a stream is.
 *
 * @param request as the adapter has it, with what guards have left on it
 * @returns undefined for one that is not counted
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- which adapter's request it is, the application knows
export type ConnectionKey = (request: any) => string | undefined;

/** How open streams are ended when the application closes. */
export interface ShutdownOptions {
  /** Milliseconds that a client has to take what was written to it, then its socket is destroyed. @defaultValue 1_000 */
  readonly grace?: number;
  /** Milliseconds over which the reconnects of all clients are spread; `0` for none. @defaultValue 5_000 */
  readonly spread?: number;
}

/** Options of the module that are plain values; those of a channel are the defaults of every channel. */
export interface SseBaseOptions extends ChannelOptions {
  /** The largest event that `publish()` takes, in bytes as it goes out. @defaultValue 1 MiB */
  readonly maxEventBytes?: number;
  /** Milliseconds of silence after which a comment is sent; `0` switches it off. @defaultValue 15_000 */
  readonly heartbeat?: number;
  /** Milliseconds that a client waits before it reconnects, sent as `retry:`. @defaultValue 2_000 */
  readonly retry?: number;
  /** Refuse names of channels that match no definition. @defaultValue false */
  readonly strictChannels?: boolean;
  /**
   * Refuse to start where methods with `@AuthorizeChannel()`, `@SseSnapshot()`, `@OnSubscribe()` and the like are of
   * classes that no module of any application of this process has among its providers. `false` is for tests of a
   * part of an application, and warns. @defaultValue true
   */
  readonly strictHandlers?: boolean;
  readonly limits?: SseLimits;
  /**
   * Whose a stream is, for `limits.connectionsPerKey`. It is asked after the guards, so that it may name a
   * user; what it throws is an ordinary HTTP error.
   *
   * @defaultValue `request.ip`, which follows what the adapter was told of proxies (`trust proxy` of
   * Express, `trustProxy` of Fastify), or the address of the socket where an adapter has none
   */
  readonly connectionKey?: ConnectionKey;
  /**
   * How a stream is turned away when there are too many connections or channels: `retry` with 200, a `retry:`
   * and the end, as an EventSource that gets an error status never comes back; `refuse` with Retry-After and
   * 503, or 429 where there are too many of one key, for clients that are no EventSource.
   * @defaultValue 'retry'
   */
  readonly whenFull?: 'retry' | 'refuse';
  /**
   * What becomes of routes with Nest's own `@Sse()`. `serve` gives them heartbeats, limits, ends at shutdown and
   * streams of the hub that resume. Nest sends their head at once then, as it does wherever an interceptor applies: a
   * status, a header or a cookie that a method sets after an `await` comes too late. `leave` leaves them to Nest: what
   * they stream of the hub begins anew with each connection, **nobody is asked who may have it**, and `revoke()`,
   * `disconnect()` and the shutdown do not reach it. @defaultValue 'serve'
   */
  readonly stockRoutes?: 'serve' | 'leave';
  readonly shutdown?: ShutdownOptions;
  /**
   * What becomes of channels that no method with `@AuthorizeChannel()` is for: `open` to whoever gets past the guards
   * of a route, or `deny`, on all routes. Neither is about streams with `authorize: false`, and those that the
   * application subscribes to for itself. The ready endpoint denies them always. @defaultValue 'open'
   */
  readonly unguarded?: 'open' | 'deny';
  /** Milliseconds that a method with `@AuthorizeChannel()` may take; no answer is a no. @defaultValue 5_000 */
  readonly authorizeTime?: number;
  /**
   * Milliseconds after which methods with `@AuthorizeChannel()` are asked again about open streams; `0` for
   * never. @defaultValue 0
   */
  readonly reauthorize?: number;
  /** Milliseconds that a method with `@SseSnapshot()` may take, then the response fails. @defaultValue 5_000 */
  readonly snapshotTime?: number;
}
