import type { Observable } from 'rxjs';
import type { Revocations } from './access/revocations.js';
import type { OrderOutcome } from './cluster/orders.js';
import type { Reach } from './cluster/scatter-gather.js';
import type { AllConnections } from './http/all-connections.js';
import type { ConnectionFilter, ConnectionInfo } from './http/connections.js';
import type { ChannelHistory, HistoryQuery } from './log/history.js';
import type { EventsOf, InputsOf, SseEvent, SseEventInput } from './log/sse-event.js';
import type { PipeOptions } from './pipes/source-pipe.js';
import type { SourcePipes } from './pipes/source-pipes.js';
import type { PresenceMembers } from './presence/member.js';
import type { Presence } from './presence/presence.js';
import type { ChannelWriter, PublishOptions } from './publishing/channel-writer.js';
import type { HubStreams, StreamOptions } from './streams/hub-streams.js';

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
  /** Nest makes it; inject it. */
  constructor(
    private readonly writer: ChannelWriter,
    private readonly pipes: SourcePipes,
    private readonly streams: HubStreams,
    private readonly open: AllConnections,
    private readonly revocations: Revocations,
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
    this.writer.emit(channel, event, options);
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
    return this.streams.stream(channels, options);
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
    return this.streams.history(channels, query);
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
    return this.streams.subscriberCount(channel, reach);
  }

  /**
   * The open connections, all of them or those that match: of this process, or of all. An instance that
   * does not answer within a second is left out, with a warning.
   *
   * @throws SseError `INVALID_OPTIONS`; everywhere `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async connections(query: ConnectionFilter & Reach = {}): Promise<ConnectionInfo[]> {
    return this.open.list(query);
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
    return this.open.disconnect(filter);
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
      ...this.streams.stats(),
      connections: this.open.size,
      published: this.writer.published,
      failedEmits: this.writer.failedEmits,
    };
  }
}
