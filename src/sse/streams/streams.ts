import { AsyncLocalStorage } from 'node:async_hooks';
import type { OnApplicationShutdown } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { Channel } from '../channels/channel.js';
import type { Channels } from '../channels/channels.js';
import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import { isEverywhere, type Reach } from '../cluster/scatter-gather.js';
import type { SubscriberCounts } from '../cluster/subscriber-counts.js';
import type { BackplaneState, BackplaneStats, SseBackplane } from '../log/backplane.js';
import type { LogEntry } from '../log/event-log.js';
import { readPast, type ChannelHistory, type HistoryQuery } from '../log/history.js';
import type { EventsOf, SseEvent } from '../log/sse-event.js';
import { parseLastEventId, type IdForm } from '../protocol/position.js';
import { SseError } from '../sse.errors.js';
import type { Replay } from '../sse.options.js';
import type { ChannelSettings, SseSettings } from '../sse.settings.js';
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
} from '../validate.js';
import { ChannelStream, type StreamRequest } from './channel-stream.js';
import type { Prefaces } from './preface.js';
import { refuseTooMany, type StreamReader } from './stream-reader.js';

/** Options of `hub.stream()`. */
export interface StreamOptions<Event = SseEvent> {
  /**
   * The position to begin from where the client sent none. A position that the client sent comes first: it is where
   * the client was when it lost its connection.
   */
  readonly lastEventId?: string;
  /** The events that are given first where there is no position, in place of the channel's setting. */
  readonly replay?: Replay;
  /**
   * Whether the methods with `@AuthorizeChannel()` are asked, where the stream is part of a response, or is
   * subscribed to while one is served. `false` for channels about which the application has decided itself. @defaultValue true
   */
  readonly authorize?: boolean;
  /**
   * Whether an event is given. The client's position moves past one that is not, so it is not sent again after a
   * reconnect: an operator such as rxjs' `filter()` cannot see to that. An error that it throws ends the stream.
   */
  readonly filter?: (event: Event) => boolean;
  /** The types of the events that are given, `'message'` for those without; as with `filter`. @defaultValue all */
  readonly types?: readonly string[];
  /**
   * How to treat a channel to which nothing was ever published, or whose `ttl` is over: `'wait'` for its first
   * event, or `'end'` as if it was completed, so that a client that has everything is answered 204.
   * @defaultValue 'wait'
   */
  readonly ifAbsent?: 'wait' | 'end';
  /**
   * Where a client begins that has sent a position: after that position, or `'anew'`, as if it had sent none. For clients
   * that take the answer to each request for a whole. @defaultValue 'resume'
   */
  readonly begin?: 'resume' | 'anew';
  /**
   * Is called once, when everything was given that was there when the stream began: from then on events are live.
   *
   * @param position the position of all its channels at this moment: from there somebody else can go on
   */
  readonly onCaughtUp?: (position: string) => void;
}

/**
 * The streams of an application: checks what the hub is asked for, has the parts that all streams share, and knows for
 * which response code runs. The stream itself: channel-stream.ts.
 */
export class Streams implements OnApplicationShutdown {
  /** The reader of the response whose method is running: `hub.stream()` asks for it. */
  readonly #storage = new AsyncLocalStorage<StreamReader>();
  /** The most channels of one response, by the form of its ids. */
  readonly maxChannels: Readonly<Record<IdForm, number>>;

  constructor(
    readonly channels: Channels,
    readonly prefaces: Prefaces,
    private readonly definitions: ChannelDefinitions,
    private readonly backplane: SseBackplane,
    private readonly counts: SubscriberCounts,
    { limits }: Pick<SseSettings, 'limits'>,
  ) {
    this.maxChannels = { full: limits.channelsPerConnection, own: limits.channelsWithOwnIds };
  }

  /** @throws SseError as `hub.stream()` */
  stream<Name extends string>(
    channels: Name | readonly Name[],
    options: StreamOptions<SseEvent<EventsOf<Name>>>,
  ): Observable<SseEvent<EventsOf<Name>>> {
    // Where no response is served now, nobody has asked for another form of ids.
    const form = this.responseReader?.position.form ?? 'full';
    const names = [...this.settingsOf(channels, form).keys()];
    checkObject(
      options,
      ['lastEventId', 'replay', 'authorize', 'filter', 'types', 'ifAbsent', 'begin', 'onCaughtUp'],
      'hub.stream()',
    );
    const lastEventId = parseLastEventId(optional(stringOf, 'lastEventId', options.lastEventId));
    const replay = optional(replayOf, 'replay', options.replay);
    const authorize = booleanOf('authorize', options.authorize ?? true);
    const ifAbsent = oneOf<'wait' | 'end'>('ifAbsent', options.ifAbsent ?? 'wait', ['wait', 'end']);
    const begin = oneOf<'resume' | 'anew'>('begin', options.begin ?? 'resume', ['resume', 'anew']);
    const onCaughtUp = optional(functionOf, 'onCaughtUp', options.onCaughtUp);
    const filter = filterOf(options as StreamOptions);
    const request = { channels: names, lastEventId, begin, replay, authorize, ifAbsent, filter, onCaughtUp };
    const stream: Observable<unknown> = new ChannelStream(this, request);
    // Events were checked to be of these types when they were published.
    return stream as Observable<SseEvent<EventsOf<Name>>>;
  }

  /** @throws SseError as `hub.history()` */
  async history<Name extends string>(
    channels: Name | readonly Name[],
    query: HistoryQuery,
  ): Promise<ChannelHistory<EventsOf<Name>>> {
    const settings = this.settingsOf(channels, 'full');
    checkObject(query, ['after', 'upTo', 'limit'], 'hub.history()');
    const { after, upTo } = query;
    optional(stringOf, 'after', after);
    optional(stringOf, 'upTo', upTo);
    if (after !== undefined && upTo !== undefined)
      throw new SseError('INVALID_OPTIONS', 'hub.history() takes "after" or "upTo", not both.');
    const limit = countOf('limit', query.limit ?? Infinity, 1);
    const past: unknown = await readPast(settings, { ...query, limit }, this.backplane);
    // Events were checked to be of these types when they were published.
    return past as ChannelHistory<EventsOf<Name>>;
  }

  /** @throws SseError as `hub.subscriberCount()` */
  async subscriberCount(channel: string, reach: Reach): Promise<number> {
    this.definitions.settingsOf(channel);
    checkObject(reach, ['everywhere'], 'hub.subscriberCount()');
    return isEverywhere(reach) ? this.counts.everywhere(channel) : this.counts.here(channel);
  }

  stats(): BackplaneStats & { readonly backplane: BackplaneState['kind'] } {
    return { ...this.backplane.stats(), backplane: this.backplane.state().kind };
  }

  /** Runs code for a response. */
  run<Result>(reader: StreamReader, task: () => Result): Result {
    return this.#storage.run(reader, task);
  }

  /** The reader of the response that code runs for now. */
  get responseReader(): StreamReader | undefined {
    return this.#storage.getStore();
  }

  /** Until Node 24 every Promise carries all storages along, also those of applications that have ended. */
  onApplicationShutdown(): void {
    this.#storage.disable();
  }

  /**
   * The settings of the channels that are named.
   *
   * @param form that of the ids of the response that is to have them
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `TOO_MANY_CHANNELS`
   */
  settingsOf(channels: string | readonly string[], form: IdForm): ReadonlyMap<string, ChannelSettings> {
    // JavaScript may give anything: whatever is no list is looked at as a name.
    const names = Array.isArray(channels) ? (channels as readonly string[]) : [channels as string];
    if (names.length === 0) throw new SseError('INVALID_CHANNEL', 'Name at least one channel.');
    const settings = new Map(names.map((name) => [name, this.definitions.settingsOf(name)]));
    refuseTooMany([...settings.keys()], form, this.maxChannels[form]);
    return settings;
  }
}

/** What `filter` and `types` hide; undefined where every event passes. @throws SseError `INVALID_OPTIONS` */
function filterOf({ filter, types }: StreamOptions): StreamRequest['filter'] {
  optional(functionOf, 'filter', filter);
  if (types !== undefined) listOf('types', types, 'event types', (type) => typeof type === 'string');
  if (!filter && !types) return undefined;
  const wanted = types && new Set(types);
  const wants = (entry: LogEntry, channel: Channel): boolean =>
    (wanted?.has(entry.event.type ?? 'message') ?? true) && (filter?.(channel.event(entry)) ?? true);
  return { types: wanted, hasFunction: filter !== undefined, wants };
}
