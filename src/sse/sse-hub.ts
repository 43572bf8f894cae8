import type { Observable } from 'rxjs';
import type { Access } from './access/access.js';
import type { OrderOutcome } from './cluster/orders.js';
import type { Reach } from './cluster/scatter-gather.js';
import { definitionStats, type DefinitionStats } from './definition-stats.js';
import type { Health, HubHealth } from './health/hub-health.js';
import type { ConnectionFilter, ConnectionInfo, Connections } from './http/connections.js';
import type { BackplaneState } from './log/backplane.js';
import type { ChannelHistory, HistoryQuery } from './log/history.js';
import type { EventsOf, InputsOf, SseEvent, SseEventInput } from './log/sse-event.js';
import type { PipeOptions, PipeSource } from './pipes/source-pipe.js';
import type { SourcePipes } from './pipes/source-pipes.js';
import type { PresenceMembers } from './presence/member.js';
import type { Presence } from './presence/presence.js';
import type { ChannelWriter, PublishOptions } from './publishing/channel-writer.js';
import type { StreamOptions, Streams } from './streams/streams.js';

/** Numbers of this process, of now unless they say otherwise. */
export interface HubStats {
  /** Channels that have a log. */
  readonly channels: number;
  /** Streams that read a channel, in responses and elsewhere; a stream of several channels counts for each. */
  readonly subscribers: number;
  /** Open responses. */
  readonly connections: number;
  /** Events published since the start. */
  readonly published: number;
  /** Calls of `emit()` that failed since the start. */
  readonly failedEmits: number;
  /** Events in the logs. */
  readonly historyEvents: number;
  /** Size of the events in the logs, in bytes. */
  readonly historyBytes: number;
  /** Calls that were sent to the server of the backplane again, since the start; 0 where there is no server. */
  readonly resent: number;
  /** The state of the backplane. */
  readonly backplane: BackplaneState['kind'];
  /** By definition; those that have none of anything are left out. */
  readonly definitions: readonly DefinitionStats[];
}

/**
 * Publishes events to channels and streams channels. Inject it anywhere, also in a process without an HTTP server.
 *
 * A façade: publishing/ writes, streams/ reads, http/ and the features do the rest.
 */
export class SseHub {
  /** Nest makes it; inject it. */
  constructor(
    private readonly writer: ChannelWriter,
    private readonly pipes: SourcePipes,
    private readonly streams: Streams,
    private readonly open: Connections,
    private readonly access: Access,
    private readonly people: Presence,
    private readonly condition: Health,
  ) {}

  /**
   * Publishes an event to everybody who streams the channel, and keeps it for clients that come back. Events of one
   * channel arrive in the order of the calls, also where an asynchronous schema checks them. Where the type has a
   * schema, its output is the data.
   *
   * @returns the event's id, or the empty string where there is none (as in the HTML standard): on a channel without
   * history, for an event without an id of its own
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_EVENT`, `INVALID_DATA`, `RESERVED_TYPE`,
   * `ID_NOT_ALLOWED`, `NOT_SERIALIZABLE`, `EVENT_TOO_LARGE`, `INVALID_OPTIONS`, `CHANNEL_COMPLETED`, `HUB_FULL`,
   * `PUBLISH_REJECTED`, `HUB_CLOSED`, as a rejection: the event has reached nobody, and never will.
   * `PUBLISH_UNCERTAIN`: the event was sent to the backplane, and no answer came in time. Publish it again with the same
   * `publishId`: it is stored once.
   */
  publish<Name extends string>(
    channel: Name,
    event: SseEventInput<InputsOf<Name>>,
    options?: PublishOptions,
  ): Promise<string> {
    return this.writer.publish(channel, event, options);
  }

  /**
   * Publishes an event for which nobody waits, as in a timer. A failure is logged and counted in `stats().failedEmits`,
   * and never thrown. Of failures with the same code one is logged in ten seconds.
   */
  emit<Name extends string>(
    channel: Name,
    event: SseEventInput<InputsOf<Name>>,
    options?: PublishOptions,
  ): void {
    this.writer.emit(channel, event, options);
  }

  /**
   * Publishes the events of a source, one after the other, and completes the channel at its end: for answers of a
   * language model, exports, logs of a build. A client that loses its connection resumes in the middle.
   *
   * An async iterable is asked for an item when the one before is published. It is stopped by its `return()`, which a
   * generator heeds only once the Promise that it awaits has settled. A function that gives the source gets a signal for
   * that, which is aborted when the pipe is over.
   *
   * A source that does not come to its own end is followed by an event of the type `error`. Its data is a text: the
   * message that Nest's exception filter would give for the source's error, or one word for the reason. The option
   * `error` forms another event. That event is kept like any other, and the types of the channel's events do not name
   * it. If this process is killed, another instance publishes the event within some ten seconds, or the next instance
   * that starts; without a backplane no listener is left to be told.
   *
   * @returns the number of published events, once the source has come to its end
   * @throws SseError as `publish()` and `complete()`, and `BACKPLANE_AWAY`, `SOURCE_TOO_FAST`, `PIPE_ABANDONED`,
   * `PIPE_LOST`, `HUB_CLOSED`; the source's error; the signal's reason. All as a rejection, after listeners were told.
   * Where the backplane is away they are told when it is back.
   */
  async pipe<Name extends string>(
    channel: Name,
    source: PipeSource<SseEventInput<InputsOf<Name>>>,
    options: PipeOptions<InputsOf<Name>> = {},
  ): Promise<number> {
    // The event that the option `error` forms is checked like any other.
    return this.pipes.run(channel, source, options as unknown as PipeOptions);
  }

  /**
   * The events of one channel or several. Return it from an `@Sse()` method, as it is or piped through operators: there
   * it begins at the client's position and goes at the client's pace. Subscribed to elsewhere it begins as `replay`
   * says.
   *
   * An event that an operator replaces by another keeps its position if it keeps its `id`.
   *
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS`, `TOO_MANY_CHANNELS`
   */
  stream<Name extends string>(
    channels: Name | readonly Name[],
    options: StreamOptions<SseEvent<EventsOf<Name>>> = {},
  ): Observable<SseEvent<EventsOf<Name>>> {
    return this.streams.stream(channels, options);
  }

  /**
   * Events in the log of a channel, or of several. A channel without a log is not given one, and still has a position,
   * which its first event follows.
   *
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS`, `TOO_MANY_CHANNELS`,
   * `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async history<Name extends string>(
    channels: Name | readonly Name[],
    query: HistoryQuery = {},
  ): Promise<ChannelHistory<EventsOf<Name>>> {
    return this.streams.history(channels, query);
  }

  /**
   * Ends a channel. Its listeners get the events that they have not got yet, and then the end. An EventSource that comes
   * back is answered 204, which stops it (WHATWG HTML, 9.2.3). For the channel's `ttl` nobody can publish to it. A source
   * that is piped into it is stopped, on whichever instance it runs.
   *
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `HUB_FULL`, `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async complete(channel: string): Promise<void> {
    await this.writer.complete(channel);
    this.pipes.completed(channel);
  }

  /**
   * Deletes the events in a channel's log. Clients that had not read them are told of the gap.
   *
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async purge(channel: string): Promise<void> {
    await this.writer.purge(channel);
  }

  /**
   * The number of streams that read the channel, in responses and elsewhere: in this process, or on all instances.
   *
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS`; for all instances `BACKPLANE_AWAY`,
   * `HUB_CLOSED`
   */
  async subscriberCount(channel: string, reach: Reach = {}): Promise<number> {
    return this.streams.subscriberCount(channel, reach);
  }

  /**
   * The open connections, all or those that match the filter: of this process, or of all instances. An instance that
   * does not answer within a second is left out, with a warning.
   *
   * @throws SseError `INVALID_OPTIONS`; for all instances `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async connections(query: ConnectionFilter & Reach = {}): Promise<ConnectionInfo[]> {
    return this.open.list(query);
  }

  /**
   * Ends connections on all instances. An EventSource comes back and resumes, unless it is refused. Only connections
   * that are open, or being opened, at the call are ended: an instance that is away obeys when it is back, and leaves
   * those that have begun since.
   *
   * @returns the outcome of the first second
   * @throws SseError `INVALID_OPTIONS`. `BACKPLANE_AWAY`, `HUB_CLOSED`: the connections of this process were ended, and
   * those of other instances perhaps. Call it again
   */
  async disconnect(filter: ConnectionFilter): Promise<OrderOutcome> {
    return this.open.disconnect(filter);
  }

  /**
   * Takes a channel away from all streams of a user, on all instances. Each stream is told by a `denied` event and goes
   * on with its other channels. First make the method with `@AuthorizeChannel()` refuse the user, who could stream the
   * channel again otherwise. An instance that is away obeys when it is back, before it sends anything more; there a
   * stream of the channel that has begun since the call is asked about again.
   *
   * @returns the outcome of the first second
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS`. `BACKPLANE_AWAY`, `HUB_CLOSED`: the channel
   * was taken from the streams of this process, and from those of other instances perhaps. Call it again
   */
  async revoke(user: string, channel: string): Promise<OrderOutcome> {
    return this.access.revoke(user, channel);
  }

  /**
   * The members of a channel that has `presence`, on all instances, in the order of their coming: each user once, with
   * the number of connections. A connection without a user is no member. A user whose last connection has ended stays a
   * member, without connections, until the channel's `grace` is over. Members on an instance that does not answer within
   * a second are listed without connections, with a warning.
   *
   * @returns the members, and the position in the channel from which its events continue the list
   * @throws SseError `INVALID_CHANNEL`, `UNKNOWN_CHANNEL`, `INVALID_OPTIONS` for a channel without presence;
   * `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async presence(channel: string): Promise<PresenceMembers> {
    this.people.check(channel);
    // Read before the members, so that whatever happens from then on is in the list, in the events, or in both.
    const { position } = await this.history(channel, { limit: 1 });
    const members = await this.people.members(channel);
    // Not enumerable, so that the list compares and copies like any other.
    return Object.defineProperty(members, 'position', { value: position }) as PresenceMembers;
  }

  /**
   * Whether this process should go on (`live`), and whether it should get new clients (`ready`), for the probes of
   * balancers and orchestrators. It asks nobody and waits for nothing, so it can be called as often as they like.
   */
  health(): HubHealth {
    return this.condition.report();
  }

  /** Numbers of this process, for metrics. It asks no other instance. */
  stats(): HubStats {
    const { writer, people, pipes, streams } = this;
    const streamed = streams.channels.counts();
    const others = [...people.localCounts(), ...pipes.counts()];
    return {
      resent: 0,
      ...streams.stats(),
      subscribers: streamed.reduce((sum, { subscribers }) => sum + subscribers, 0),
      definitions: definitionStats((channel) => writer.definitionOf(channel), streamed, others),
      connections: this.open.size,
      published: this.writer.published,
      failedEmits: this.writer.failedEmits,
    };
  }
}
