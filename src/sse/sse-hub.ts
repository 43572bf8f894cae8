import type { Observable } from 'rxjs';
import { longestId, MAX_ID_BYTES, parseLastEventId } from './protocol/position.js';
import { SseError } from './sse.errors.js';
import type { Replay } from './sse.options.js';
import type { SseSettings } from './sse.settings.js';
import {
  booleanOf,
  checkObject,
  countOf,
  functionOf,
  listOf,
  oneOf,
  optional,
  replayOf,
  stringOf,
} from './validate.js';
import type { SseBackplane } from './log/backplane.js';
import type { Channel } from './channels/channel.js';
import type { ChannelDefinitions } from './channels/channel-definitions.js';
import { ChannelStream } from './streams/channel-stream.js';
import type { ChannelWriter, PublishOptions } from './publishing/channel-writer.js';
import type { Channels } from './channels/channels.js';
import type { AllConnections } from './http/all-connections.js';
import type { ConnectionFilter, ConnectionInfo, Connections, Reach } from './http/connections.js';
import type { SubscriberCounts } from './cluster/subscriber-counts.js';
import type { Revocations } from './access/revocations.js';
import type { OrderOutcome } from './cluster/orders.js';
import type { PipeOptions } from './pipes/source-pipe.js';
import type { SourcePipes } from './pipes/source-pipes.js';
import type { LogEntry } from './log/event-log.js';
import { FailedEmits } from './publishing/failed-emits.js';
import { readPast } from './log/history.js';
import type { Presence } from './presence/presence.js';
import type { PresenceMembers } from './presence/member.js';
import type {
  EventMap,
  EventsOf,
  GapReason,
  InputsOf,
  PublishedEvent,
  SseEvent,
  SseEventInput,
} from './log/sse-event.js';
import type { Streams } from './streams/streams.js';

/** Options of `hub.stream()`. */
export interface StreamOptions<Event = SseEvent> {
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
  /**
   * Whether an event is given. The client's position moves past one that is not, so it is not sent again after a
   * reconnect: an operator such as rxjs' `filter()` cannot see to that. What it throws ends the stream.
   */
  readonly filter?: (event: Event) => boolean;
  /** The types of the events that are given, `'message'` for those without; as with `filter`. @defaultValue all */
  readonly types?: readonly string[];
  /**
   * What becomes of a channel to which nothing was ever published, or whose `ttl` is over: `'wait'` for its first
   * event, or `'end'` as if it was completed, so that a client that is not behind is answered 204.
   * @defaultValue 'wait'
   */
  readonly ifAbsent?: 'wait' | 'end';
  /**
   * Is called once, when everything was given that was there when the stream began: what comes from then on is
   * live.
   *
   * @param position the position of all its channels at this moment: from there somebody else can go on
   */
  readonly onCaughtUp?: (position: string) => void;
}

/** Options of `hub.history()`. */
export interface HistoryQuery {
  /** A position of the channels, an id for instance: only what came after it, the oldest first. */
  readonly after?: string;
  /** A position of the channels, the `start` of a page for instance: only what came up to it, the newest of it. */
  readonly upTo?: string;
  /** The most events to return, of all channels together. @defaultValue all that are kept */
  readonly limit?: number;
}

/** Part of the past of a channel, or of several. */
export interface ChannelHistory<Events extends EventMap> {
  /** Oldest first: those of a channel in the order of its log, those of several in the order of their publishing. */
  readonly events: readonly PublishedEvent<Events>[];
  /** The position before the first of them: `upTo` it is the page before this one. */
  readonly start: string;
  /**
   * The position after the last of them: `after` it is the next page, and a stream of the same channels that begins
   * here continues them without a hole. The empty string if none of the channels has a history.
   */
  readonly position: string;
  /** Why events may be missing between `after`, or `upTo`, and these; undefined when none are. */
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
  /** Events of `emit()` that could not be published, since the start. */
  readonly failedEmits: number;
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
  readonly #failedEmits = new FailedEmits();

  /** Nest makes it; inject it. */
  constructor(
    private readonly settings: SseSettings,
    private readonly definitions: ChannelDefinitions,
    private readonly backplane: SseBackplane,
    private readonly writer: ChannelWriter,
    private readonly pipes: SourcePipes,
    private readonly channels: Channels,
    private readonly open: Connections,
    private readonly subscribers: SubscriberCounts,
    private readonly everybody: AllConnections,
    private readonly revocations: Revocations,
    private readonly streams: Streams,
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
   * Publishes an event for which nobody waits, as in a timer: as `publish()`, but what fails is logged and counted
   * (`stats().failedEmits`), and never thrown. Of failures with the same code one is logged in ten seconds.
   */
  emit<Name extends string>(
    channel: Name,
    event: SseEventInput<InputsOf<Name>>,
    options?: PublishOptions,
  ): void {
    this.writer
      .publish(channel, event, options)
      .catch((error: unknown) => this.#failedEmits.add(channel, error));
  }

  /**
   * Publishes what a source gives, one event after the other, and completes the channel at its end: for answers
   * of a language model, exports, logs of a build. A client that loses its connection resumes in the middle.
   *
   * An async iterable is asked for an item when the one before is published. It is told to stop by its
   * `return()`, which a generator that waits for something heeds only when it has that.
   *
   * A source that ends in any other way than by itself ends with an event of the type `error`, whose data is a
   * text: what Nest's exception filter would say of the source's error, or a word for the reason; or with the
   * event that the option `error` forms. It is kept for those who come back, and the types of the channel's
   * events do not name it. Should this process end without a word, another instance tells it within some ten
   * seconds, or else the next one that starts; without a backplane nobody is left to be told.
   *
   * @returns how many events were published, when the source has come to its end
   * @throws SseError as `publish()` and `complete()`, and `BACKPLANE_AWAY`, `SOURCE_TOO_FAST`, `PIPE_ABANDONED`,
   * `PIPE_LOST`, `HUB_CLOSED`; what the source has failed with; the reason of the signal. All as a rejection, when
   * listeners were told, or could not be told at present: then they are as soon as the backplane is back.
   */
  async pipe<Name extends string>(
    channel: Name,
    source: AsyncIterable<SseEventInput<InputsOf<Name>>> | Observable<SseEventInput<InputsOf<Name>>>,
    options: PipeOptions<InputsOf<Name>> = {},
  ): Promise<number> {
    this.definitions.settingsOf(channel);
    // The event that it forms is checked like any other.
    return this.pipes.run(channel, source, options as unknown as PipeOptions);
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
    options: StreamOptions<SseEvent<EventsOf<Name>>> = {},
  ): Observable<SseEvent<EventsOf<Name>>> {
    const names = namesOf(channels);
    for (const name of names) this.definitions.settingsOf(name);
    this.#refuseTooMany(names);
    checkObject(options, STREAM_OPTIONS, 'hub.stream()');
    const lastEventId = parseLastEventId(optional(stringOf, 'lastEventId', options.lastEventId));
    const replay = optional(replayOf, 'replay', options.replay);
    const authorize = booleanOf('authorize', options.authorize ?? true);
    const ifAbsent = oneOf<'wait' | 'end'>('ifAbsent', options.ifAbsent ?? 'wait', ['wait', 'end']);
    const onCaughtUp = optional(functionOf, 'onCaughtUp', options.onCaughtUp);
    const wants = wantsOf(options as StreamOptions);
    const request = { channels: names, lastEventId, replay, authorize, ifAbsent, wants, onCaughtUp };
    const stream: Observable<unknown> = new ChannelStream(this.streams, request);
    // What is published was checked to be of these types; here nothing is looked into.
    return stream as Observable<SseEvent<EventsOf<Name>>>;
  }

  /**
   * Events that are kept of a channel, or of several. It creates nothing: a channel that is not there has a
   * position, too, from which its first event follows.
   *
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS`, `TOO_MANY_CHANNELS`,
   * `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async history<Name extends string>(
    channels: Name | readonly Name[],
    query: HistoryQuery = {},
  ): Promise<ChannelHistory<EventsOf<Name>>> {
    const names = namesOf(channels);
    const settings = new Map(names.map((name) => [name, this.definitions.settingsOf(name)]));
    this.#refuseTooMany(names);
    checkObject(query, ['after', 'upTo', 'limit'], 'hub.history()');
    const { after, upTo } = query;
    optional(stringOf, 'after', after);
    optional(stringOf, 'upTo', upTo);
    if (after !== undefined && upTo !== undefined)
      throw new SseError('INVALID_OPTIONS', 'hub.history() takes "after" or "upTo", not both.');
    const limit = countOf('limit', query.limit ?? Infinity, 1);
    const past: unknown = await readPast(settings, { after, upTo, limit }, this.backplane);
    return past as ChannelHistory<EventsOf<Name>>; // what was published was checked to be of these types
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
    return isEverywhere(reach) ? this.subscribers.everywhere(channel) : this.subscribers.here(channel);
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
    return isEverywhere({ everywhere }) ? this.everybody.everywhere(filter) : this.everybody.here(filter);
  }

  /**
   * Ends connections on all instances, and answers how many. An EventSource comes back and resumes, unless
   * it is refused. It is about the connections that are open, or being opened, at the call: an instance that is
   * away obeys when it is back, and ends none that has begun since.
   *
   * @returns what has come of it within a second
   * @throws SseError `INVALID_OPTIONS`. `BACKPLANE_AWAY`, `HUB_CLOSED`: those of this process were ended,
   * of the others nothing is known. Call it again
   */
  async disconnect(filter: ConnectionFilter): Promise<OrderOutcome> {
    return this.everybody.disconnect(filter);
  }

  /**
   * Takes a channel away from all streams of a user, on all instances, and answers how many had it. Each is
   * told by a `denied` event, and goes on with the other channels it has. That the user does not get the
   * channel again is for the method with `@AuthorizeChannel()` to see to, before this is called. An instance that
   * is away obeys when it is back, before it sends anything more; where a stream of the channel has begun
   * since the call, it asks that method again.
   *
   * @returns what has come of it within a second
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS`. `BACKPLANE_AWAY`, `HUB_CLOSED`: it
   * was taken from those of this process, of the others nothing is known. Call it again
   */
  async revoke(user: string, channel: string): Promise<OrderOutcome> {
    stringOf('user', user);
    this.definitions.settingsOf(channel);
    return this.revocations.revoke(user, channel);
  }

  /**
   * Who is in a channel that has `presence`, on all instances, in the order of their coming: each user once,
   * with how many connections. A connection of somebody unknown is no member. Who was there a moment ago is a
   * member without connections until the channel's `grace` is over. The members on an instance that does not
   * answer within a second are without connections, too, with a warning.
   *
   * @returns the members, and the position in the channel from which its events continue the list
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS` for a channel without presence;
   * `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async presence(channel: string): Promise<PresenceMembers> {
    this.people.check(channel);
    // First: what happens from then on is in the list, or in the events, or in both.
    const { position } = await this.history(channel, { limit: 1 });
    const members = await this.people.members(channel);
    // Not enumerable: for whoever compares or copies the list it is a list.
    return Object.defineProperty(members, 'position', { value: position }) as PresenceMembers;
  }

  stats(): HubStats {
    return {
      ...this.backplane.stats(),
      subscribers: this.channels.subscribers,
      connections: this.open.size,
      published: this.writer.published,
      failedEmits: this.#failedEmits.count,
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
}

const STREAM_OPTIONS = [
  'lastEventId',
  'replay',
  'authorize',
  'filter',
  'types',
  'ifAbsent',
  'onCaughtUp',
] as const satisfies readonly (keyof StreamOptions)[];

/** @throws SseError `INVALID_CHANNEL` */
function namesOf<Name extends string>(channels: Name | readonly Name[]): readonly Name[] {
  // JavaScript gives anything: what is no list is looked at as a name.
  const names = Array.isArray(channels) ? [...new Set(channels as readonly Name[])] : [channels as Name];
  if (names.length === 0) throw new SseError('INVALID_CHANNEL', 'Name at least one channel.');
  return names;
}

/** What of the events `filter` and `types` let through; undefined for all. @throws SseError `INVALID_OPTIONS` */
function wantsOf({
  filter,
  types,
}: StreamOptions): ((entry: LogEntry, channel: Channel) => boolean) | undefined {
  optional(functionOf, 'filter', filter);
  if (types !== undefined) listOf('types', types, 'event types', (type) => typeof type === 'string');
  if (!filter && !types) return undefined;
  const wanted = types && new Set(types);
  return (entry, channel) =>
    (wanted?.has(entry.event.type ?? 'message') ?? true) && (filter?.(channel.event(entry)) ?? true);
}

function isEverywhere({ everywhere = false }: { readonly everywhere?: boolean | undefined }): boolean {
  return booleanOf('everywhere', everywhere);
}
