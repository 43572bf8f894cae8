import type { Observable } from 'rxjs';
import {
  formatPosition,
  longestId,
  MAX_ID_BYTES,
  parseLastEventId,
  positionsFor,
} from '../protocol/position.js';
import { SseError } from '../sse.errors.js';
import type { Replay } from '../sse.options.js';
import { checkObject, countOf, oneOf, replayOf, stringOf, type SseSettings } from '../sse.settings.js';
import type { LogRange, SseBackplane } from './backplane.js';
import type { ChannelDefinitions } from './definitions/channel-definitions.js';
import { ChannelStream } from './reading/channel-stream.js';
import type { ChannelWriter, PublishOptions } from './channel-writer.js';
import type { Channels } from './channels.js';
import type { ConnectionFilter, ConnectionInfo, Connections, Reach } from './instances/connections.js';
import type { Instances } from './instances/instances.js';
import type { PipeOptions } from './sources/source-pipe.js';
import type { SourcePipes } from './sources/source-pipes.js';
import { gapReason } from './missed-position.js';
import type { Presence } from './presence/presence.js';
import type { PresenceMember } from './presence/member.js';
import { publishedEvent } from './published-event.js';
import type {
  EventMap,
  EventsOf,
  GapReason,
  InputsOf,
  PublishedEvent,
  SseEvent,
  SseEventInput,
} from './sse-event.js';
import type { StreamContext } from './reading/stream-context.js';

/** Options of `hub.stream()`. */
export interface StreamOptions {
  /**
   * The position to begin from where the client sent none. What it sent comes first: it is where it was
   * when it lost its connection.
   */
  readonly lastEventId?: string;
  /** What is given first where there is no position, in place of the channel's setting. */
  readonly replay?: Replay;
  /**
   * Whether the methods with `@AuthorizeChannel()` are asked, where the stream is part of a response, or is
   * subscribed to while one is served. `false` for what the application has decided itself. @defaultValue true
   */
  readonly authorize?: boolean;
}

/** Options of `hub.history()`. */
export interface HistoryQuery {
  /** An id of the channel: only what came after it, the oldest first. Without it, the newest events. */
  readonly after?: string;
  /** The most events to return. @defaultValue all that are kept */
  readonly limit?: number;
}

/** Part of a channel's past. */
export interface ChannelHistory<Events extends EventMap> {
  /** Oldest first. */
  readonly events: readonly PublishedEvent<Events>[];
  /** The position after the last of them. A stream that begins here continues them without a hole. */
  readonly position: string;
  /** Why the events do not follow directly on `after`; undefined when they do. */
  readonly gap?: GapReason;
}

/** Numbers of this process. */
export interface HubStats {
  /** Channels that have a log. */
  readonly channels: number;
  /** Streams of channels, in responses and elsewhere. */
  readonly subscribers: number;
  /** Open responses. */
  readonly connections: number;
  /** Events published since the start. */
  readonly published: number;
  /** Events that are kept for those who come back. */
  readonly historyEvents: number;
  /** Their size in bytes. */
  readonly historyBytes: number;
}

/**
 * Publishes events to channels, and streams channels to whoever asks. Inject it anywhere; it works in
 * a process without an HTTP server too.
 */
export class SseHub {
  /** Nest makes it; inject it. */
  constructor(
    private readonly settings: SseSettings,
    private readonly definitions: ChannelDefinitions,
    private readonly backplane: SseBackplane,
    private readonly writer: ChannelWriter,
    private readonly pipes: SourcePipes,
    private readonly channels: Channels,
    private readonly open: Connections,
    private readonly instances: Instances,
    private readonly context: StreamContext,
    private readonly people: Presence,
  ) {}

  /**
   * Publishes an event to everybody who streams the channel, and keeps it for those who come back.
   * Events of one channel arrive in the order of the calls, also where an asynchronous schema checks them.
   * Where its type has a schema, the data is what the schema gives out.
   *
   * @returns the event's id; the empty string where there is none, as in HTML: on a channel without
   * history, when the event brought none
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_EVENT`, `INVALID_DATA`, `RESERVED_TYPE`,
   * `ID_NOT_ALLOWED`, `NOT_SERIALIZABLE`, `EVENT_TOO_LARGE`, `INVALID_OPTIONS`, `CHANNEL_COMPLETED`, `HUB_FULL`,
   * `PUBLISH_REJECTED`, `HUB_CLOSED`, as a rejection: nothing of the event has reached anyone then, nor ever
   * will. `PUBLISH_UNCERTAIN`: it was sent to the backplane and no answer came in time; to find out, publish
   * again with the same `publishId`.
   */
  publish<Name extends string>(
    channel: Name,
    event: SseEventInput<InputsOf<Name>>,
    options?: PublishOptions,
  ): Promise<string> {
    return this.writer.publish(channel, event, options);
  }

  /**
   * Publishes what a source gives, one event after the other, and completes the channel at its end: for answers
   * of a language model, exports, logs of a build. A client that loses its connection resumes in the middle.
   *
   * An async iterable is asked for an item when the one before is published. It is told to stop by its
   * `return()`, which a generator that waits for something heeds only when it has that.
   *
   * A source that ends in any other way than by itself ends with an event of the type `error`, whose data is a
   * text: what Nest's exception filter would say of the source's error, or `Stopped`. It is kept for those who
   * come back, and the types of the channel's events do not name it.
   *
   * @returns how many events were published, when the source has come to its end
   * @throws SseError as `publish()` and `complete()`, and `SOURCE_TOO_FAST`, `PIPE_ABANDONED`, `HUB_CLOSED`; what
   * the source has failed with; the reason of the signal. All as a rejection, when listeners were told.
   */
  async pipe<Name extends string>(
    channel: Name,
    source: AsyncIterable<SseEventInput<InputsOf<Name>>> | Observable<SseEventInput<InputsOf<Name>>>,
    options: PipeOptions = {},
  ): Promise<number> {
    this.definitions.settingsOf(channel);
    return this.pipes.run(channel, source, options);
  }

  /**
   * The events of one channel or several. Return it from an `@Sse()` method, as it is or piped through
   * operators: then it begins at the client's position, and goes at the client's pace. Subscribed to
   * anywhere else it begins with what `replay` says.
   *
   * An event that an operator has made anew keeps its place if it keeps its `id`.
   *
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS`, `TOO_MANY_CHANNELS`
   */
  stream<Name extends string>(
    channels: Name | readonly Name[],
    options: StreamOptions = {},
  ): Observable<SseEvent<EventsOf<Name>>> {
    const names = typeof channels === 'string' ? [channels] : [...new Set(channels)];
    if (names.length === 0) throw new SseError('INVALID_CHANNEL', 'A stream needs at least one channel.');
    for (const name of names) this.definitions.settingsOf(name);
    this.#refuseTooMany(names);
    checkObject(options, ['lastEventId', 'replay', 'authorize'], 'hub.stream()');
    if (options.lastEventId !== undefined) stringOf('lastEventId', options.lastEventId);
    const lastEventId = parseLastEventId(options.lastEventId);
    const replay = options.replay === undefined ? undefined : replayOf(options.replay);
    const authorize = oneOf('authorize', options.authorize ?? true, [true, false]);
    const request = { channels: names, lastEventId, replay, authorize };
    const stream: Observable<unknown> = new ChannelStream(
      this.channels,
      request,
      this.context,
      this.settings.limits.channelsPerConnection,
    );
    // What is published was checked to be of these types; here nothing is looked into.
    return stream as Observable<SseEvent<EventsOf<Name>>>;
  }

  /**
   * Events that are kept of a channel.
   *
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS`
   */
  async history<Name extends string>(
    channel: Name,
    query: HistoryQuery = {},
  ): Promise<ChannelHistory<EventsOf<Name>>> {
    const hasHistory = this.definitions.settingsOf(channel).history !== undefined;
    checkObject(query, ['after', 'limit'], 'hub.history()');
    if (query.after !== undefined) stringOf('after', query.after);
    const limit = countOf('limit', query.limit ?? Infinity, 1);
    const all = hasHistory ? await this.backplane.read(channel, { limit }) : undefined;
    if (!all) return { events: [], position: '', ...(query.after && { gap: 'epoch' }) };
    const asked = positionsFor(parseLastEventId(query.after), new Map([[channel, all.epoch]])).get(channel);
    if (asked?.kind === 'none') return this.#historyOf(channel, all);
    const gap = asked?.kind !== 'position' ? 'unreadable' : gapReason(asked.position, all);
    const after = asked?.kind === 'position' && !gap ? asked.position.offset : all.floor;
    const range = await this.backplane.read(channel, { after, limit });
    return { ...this.#historyOf(channel, range ?? all), ...(gap && { gap }) };
  }

  /**
   * Ends a channel. Those who stream it get what they have not got yet, and then the end; an
   * EventSource that comes back is told to stay away. For the channel's `ttl` nobody can publish to it.
   */
  async complete(channel: string): Promise<void> {
    await this.writer.complete(channel);
  }

  /** Deletes the events that are kept of a channel. Who was behind is told of the gap. */
  async purge(channel: string): Promise<void> {
    await this.writer.purge(channel);
  }

  /**
   * How many streams read the channel, in responses and elsewhere: in this process, or everywhere.
   *
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS`; everywhere `BACKPLANE_AWAY`,
   * `HUB_CLOSED`
   */
  async subscriberCount(channel: string, reach: Reach = {}): Promise<number> {
    this.definitions.settingsOf(channel);
    checkObject(reach, ['everywhere'], 'hub.subscriberCount()');
    return this.instances.subscriberCount(channel, isEverywhere(reach));
  }

  /**
   * The open connections, all of them or those that match: of this process, or of all. An instance that
   * does not answer within a second is left out, with a warning.
   *
   * @throws SseError `INVALID_OPTIONS`; everywhere `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async connections(query: ConnectionFilter & Reach = {}): Promise<ConnectionInfo[]> {
    checkObject(query, ['id', 'channel', 'user', 'everywhere'], 'hub.connections()');
    const { everywhere, ...filter } = query;
    return this.instances.connections(filter, isEverywhere({ everywhere }));
  }

  /**
   * Ends connections on all instances and answers how many. An EventSource comes back and resumes, unless
   * it is refused.
   *
   * @throws SseError `INVALID_OPTIONS`. `BACKPLANE_AWAY`, `HUB_CLOSED`: those of this process were ended,
   * of the others nothing is known
   */
  async disconnect(filter: ConnectionFilter): Promise<number> {
    return this.instances.disconnect(filter);
  }

  /**
   * Takes a channel away from all streams of a user, on all instances, and answers how many had it. Each is
   * told by a `denied` event, and goes on with the other channels it has. That the user does not get the
   * channel again is for the method with `@AuthorizeChannel()` to see to, before this is called.
   *
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS`. `BACKPLANE_AWAY`, `HUB_CLOSED`: it
   * was taken from those of this process, of the others nothing is known
   */
  async revoke(user: string, channel: string): Promise<number> {
    stringOf('user', user);
    this.definitions.settingsOf(channel);
    return this.instances.revoke(user, channel);
  }

  /**
   * Who is in a channel that has `presence`, on all instances, in the order of their coming: each user once,
   * with how many connections. A connection of somebody unknown is no member. Who was there a moment ago is a
   * member without connections until the channel's `grace` is over. An instance that does not answer within a
   * second is left out, with a warning.
   *
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS` for a channel without presence;
   * `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async presence(channel: string): Promise<PresenceMember[]> {
    return this.people.members(channel);
  }

  stats(): HubStats {
    return {
      ...this.backplane.stats(),
      subscribers: this.channels.subscribers,
      connections: this.open.size,
      published: this.writer.published,
    };
  }

  #refuseTooMany(names: readonly string[]): void {
    const { channelsPerConnection } = this.settings.limits;
    if (names.length > channelsPerConnection) {
      throw new SseError(
        'TOO_MANY_CHANNELS',
        `A stream takes at most limits.channelsPerConnection (${channelsPerConnection}) channels, not ${names.length}.`,
      );
    }
    if (names.length === 1) return; // the longest name there is fits
    const idLength = longestId(names);
    if (idLength > MAX_ID_BYTES) {
      throw new SseError(
        'TOO_MANY_CHANNELS',
        `The ids of a stream of these ${names.length} channels could take ${idLength} bytes, at most ${MAX_ID_BYTES} are allowed. Stream fewer, or give them shorter names.`,
      );
    }
  }

  #historyOf<Events extends EventMap>(channel: string, range: LogRange): ChannelHistory<Events> {
    const events = range.entries.map((entry) => publishedEvent(channel, range.epoch, entry, true));
    const offset = range.entries.at(-1)?.offset ?? range.head;
    return {
      events: events as unknown as PublishedEvent<Events>[],
      position: formatPosition({ epoch: range.epoch, offset }),
    };
  }
}

function isEverywhere({ everywhere = false }: { readonly everywhere?: boolean | undefined }): boolean {
  return oneOf('everywhere', everywhere, [true, false]);
}
