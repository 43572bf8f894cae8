import { Observable, type Subscriber, type Unsubscribable } from 'rxjs';
import { formatVector, type LastEventId } from '../protocol/position.js';
import type { Replay } from '../sse.options.js';
import type { Channel } from '../channels/channel.js';
import type { LogEntry } from '../log/event-log.js';
import type { SseEvent } from '../log/sse-event.js';
import type { ChannelGate } from './channel-gate.js';
import type { Cursor, EventConsumer } from './cursor.js';
import { PLAIN } from './sink.js';
import { StreamReader } from './stream-reader.js';
import { readerBehind, type Streams } from './streams.js';

/** The checked arguments of `hub.stream()`. */
export interface StreamRequest {
  readonly channels: readonly string[];
  /** Where to begin if the client does not say. */
  readonly lastEventId: LastEventId;
  /** What to give first if nobody says where to begin, in place of the channel's setting. */
  readonly replay: Replay | undefined;
  /** Whether the gate of the response is asked. */
  readonly authorize: boolean;
  /** What becomes of a channel that is not there. */
  readonly ifAbsent: 'wait' | 'end';
  /** Whether an event is given; left out, all are. */
  readonly wants: ((entry: LogEntry, channel: Channel) => boolean) | undefined;
  readonly onCaughtUp: ((position: string) => void) | undefined;
}

/** How a stream gets to its subscriber. */
interface Way {
  readonly reader: StreamReader;
  /** The response that it belongs to, or that subscribed: its gate is asked. */
  readonly response: StreamReader | undefined;
  /** Where the client says that it is. */
  readonly brought: LastEventId | undefined;
  /** See {@link Cursor}. */
  readonly pace: Cursor['pace'];
}

/**
 * The events of some channels. In a response it reads from the client's position and at its pace; anywhere else it
 * is a plain source, and a gap is one of its events.
 */
export class ChannelStream extends Observable<SseEvent> {
  /** The response that it was made for. */
  readonly #response: StreamReader | undefined;
  /** Whether the method itself made it, which may have returned it. */
  readonly #isOfMethod: boolean;

  constructor(
    private readonly streams: Streams,
    readonly request: StreamRequest,
  ) {
    super((subscriber) => this.#enter(this.#wayTo(subscriber), subscriber));
    this.#response = streams.response;
    this.#isOfMethod = this.#response?.sink.method === 'running';
  }

  /** Makes it part of a response. */
  join(response: StreamReader, consumer: EventConsumer): Unsubscribable {
    return this.#enter(wayIn(response, 'client'), consumer);
  }

  #wayTo(subscriber: Subscriber<SseEvent>): Way {
    const { request, streams } = this;
    const response = this.#response;
    const behind = readerBehind(subscriber);
    if (behind) return wayIn(behind, 'client');
    // The method's own, by a way that cannot be seen. It may be shared: others must not wait for this client.
    if (response && this.#isOfMethod && response.sink.method === 'subscribing') return wayIn(response, 'own');
    // The way may still lead to the client, or be something that the method looks up: that says where to begin.
    const isLookUp = request.replay !== undefined || request.lastEventId.kind !== 'none';
    return {
      reader: new StreamReader(streams, PLAIN),
      // It may have been made for one response, or for none, and be subscribed to for another.
      response: streams.response ?? response,
      brought: isLookUp ? undefined : response?.position.brought,
      pace: 'client',
    };
  }

  #enter(way: Way, consumer: EventConsumer): Unsubscribable {
    const { channels, authorize } = this.request;
    const subscription = new ChannelSubscription(way.reader, consumer, this.request);
    const gate = authorize ? way.response?.sink.gate : undefined;
    try {
      for (const name of channels)
        if (!gate || !this.#enterIfGranted(gate, name, way, subscription))
          this.#enterChannel(name, way, subscription);
    } catch (error) {
      consumer.error(error);
    }
    return subscription;
  }

  /** @returns false where nobody is asked */
  #enterIfGranted(gate: ChannelGate, name: string, way: Way, subscription: ChannelSubscription): boolean {
    return way.reader.ask(gate, name, (isGranted) => {
      try {
        if (subscription.closed) return;
        if (isGranted) return this.#enterChannel(name, way, subscription);
        gate.denied(name);
        subscription.denied();
      } catch (error) {
        subscription.error(error);
      }
    });
  }

  #enterChannel(name: string, { reader, brought, pace }: Way, subscription: ChannelSubscription): void {
    const { request } = this;
    // A position that the client sent comes first: it is where it was when it lost its connection.
    const lastEventId = brought && brought.kind !== 'none' ? brought : request.lastEventId;
    const cursor = reader.enter(name, { lastEventId, replay: request.replay, ifAbsent: request.ifAbsent });
    if (!request.authorize) cursor.access = 'open';
    if (pace === 'own') cursor.pace = 'own';
    subscription.enter(cursor);
  }
}

const wayIn = (response: StreamReader, pace: Way['pace']): Way => ({
  reader: response,
  response,
  brought: response.position.brought,
  pace,
});

/** One subscription to the events of some channels. */
class ChannelSubscription implements EventConsumer, Unsubscribable {
  readonly wants?: (entry: LogEntry, channel: Channel) => boolean;
  readonly caughtUp?: () => void;
  closed = false;
  #cursors: readonly Cursor[] = [];
  /** Channels that have not completed. */
  #open: number;

  constructor(
    private readonly reader: StreamReader,
    private readonly consumer: EventConsumer,
    { channels, wants, onCaughtUp }: StreamRequest,
  ) {
    this.#open = channels.length;
    if (wants) this.wants = (entry, channel) => this.#isWanted(wants, entry, channel);
    if (!onCaughtUp) return;
    let behind = channels.length;
    this.caughtUp = () => {
      if (--behind === 0) this.#call(onCaughtUp);
    };
  }

  enter(cursor: Cursor): void {
    this.#cursors = this.#cursors.concat(cursor);
    cursor.join(this);
  }

  /** One of the channels is not given: there is nothing to catch up with. */
  denied(): void {
    this.caughtUp?.();
    this.complete();
  }

  next(event: SseEvent): void {
    this.consumer.next(event);
  }

  error(error: unknown): void {
    this.consumer.error(error);
  }

  complete(): void {
    if (--this.#open === 0) this.consumer.complete();
  }

  unsubscribe(): void {
    this.closed = true;
    const cursors = this.#cursors;
    this.#cursors = [];
    for (const cursor of cursors) {
      cursor.part(this);
      if (!cursor.hasConsumers) this.reader.leave(cursor);
    }
  }

  /** An event that cannot be judged is not passed: the stream fails, and its client comes back for it. */
  #isWanted(wants: NonNullable<StreamRequest['wants']>, entry: LogEntry, channel: Channel): boolean {
    try {
      return wants(entry, channel);
    } catch (error) {
      this.consumer.error(error);
      return true;
    }
  }

  #call(onCaughtUp: (position: string) => void): void {
    try {
      onCaughtUp(this.#position());
    } catch (error) {
      this.consumer.error(error);
    }
  }

  #position(): string {
    const ids = this.#cursors.map(({ channel, read }) => {
      return [channel.name, channel.hasHistory ? channel.idOf(read) : undefined] as const;
    });
    return ids.length > 1 ? formatVector(ids) : (ids[0]?.[1] ?? '');
  }
}
