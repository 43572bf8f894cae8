import { Observable, type Subscriber, type Unsubscribable } from 'rxjs';
import { formatVector, type LastEventId } from '../protocol/position.js';
import type { Replay } from '../sse.options.js';
import type { Channel } from '../channels/channel.js';
import type { LogEntry } from '../log/event-log.js';
import type { ChannelGate } from './channel-gate.js';
import type { Cursor, EventConsumer } from './cursor.js';
import type { SseEvent } from '../log/sse-event.js';
import { PLAIN } from './sink.js';
import { StreamReader } from './stream-reader.js';
import { readerBehind, type Streams } from './streams.js';

/** What `hub.stream()` was asked for. */
export interface StreamRequest {
  readonly channels: readonly string[];
  /** Where to begin if the client does not say. */
  readonly lastEventId: LastEventId;
  /** What to give first if nobody says where to begin, in place of the channel's setting. */
  readonly replay: Replay | undefined;
  /** Whether those are asked who decide about a channel. */
  readonly authorize: boolean;
  /** What becomes of a channel that is not there. */
  readonly ifAbsent: 'wait' | 'end';
  /** Whether an event is given; left out, all are. */
  readonly wants: ((entry: LogEntry, channel: Channel) => boolean) | undefined;
  readonly onCaughtUp: ((position: string) => void) | undefined;
}

/** How a stream gets to those who want it. */
interface Way {
  readonly reader: StreamReader;
  /** Whose position it begins at, if that is known. */
  readonly client: StreamReader | undefined;
  /** Who is asked whether it may: the one whom it reaches, or who subscribed where that cannot be seen. */
  readonly asked: StreamReader | undefined;
  readonly isUnpaced: boolean;
}

/**
 * The events of some channels. In a response it reads from the client's position and at its pace;
 * anywhere else it is a plain source, and a gap is one of its events.
 */
export class ChannelStream extends Observable<SseEvent> {
  /** The response that it was asked for in. */
  readonly #response: StreamReader | undefined;
  /** Whether it was asked for by the method itself, which may have returned it. */
  readonly #isOfMethod: boolean;

  constructor(
    private readonly streams: Streams,
    readonly request: StreamRequest,
  ) {
    super((subscriber) => this.#subscribed(subscriber));
    this.#response = streams.response;
    this.#isOfMethod = this.#response?.sink.method === 'running';
  }

  /** Makes it part of a response. */
  join(reader: StreamReader, consumer: EventConsumer): Unsubscribable {
    return this.#enter({ reader, client: reader, asked: reader, isUnpaced: false }, consumer);
  }

  #subscribed(subscriber: Subscriber<SseEvent>): Unsubscribable {
    const response = this.#response;
    const behind = readerBehind(subscriber);
    if (behind) return this.join(behind, subscriber);
    if (this.#isOfMethod && response?.sink.method === 'subscribing') {
      // The method's own, and shared perhaps: others must not wait when this client does not read.
      return this.#enter(
        { reader: response, client: response, asked: response, isUnpaced: true },
        subscriber,
      );
    }
    // The way cannot be seen. It may lead to the client of the response all the same, or be something
    // that the method looks up: who does that says where to begin.
    const isLookUp = this.request.replay !== undefined || this.request.lastEventId.kind !== 'none';
    const client = isLookUp ? undefined : response;
    // It may have been made for one response, or for none, and be subscribed to for another.
    const asked = this.streams.response ?? response;
    const reader = new StreamReader(this.streams, PLAIN, undefined, client);
    return this.#enter({ reader, client, asked, isUnpaced: false }, subscriber);
  }

  /** What the client sent comes first: it is where it was when it lost its connection. */
  #positionIn(client: StreamReader | undefined): LastEventId {
    const brought = client?.position.brought;
    return brought && brought.kind !== 'none' ? brought : this.request.lastEventId;
  }

  #enter(way: Way, consumer: EventConsumer): Unsubscribable {
    const { channels, authorize } = this.request;
    const membership = new Membership(way.reader, consumer, this.request);
    try {
      for (const name of channels) {
        const gate = authorize ? way.asked?.sink.gate : undefined;
        if (!gate || !this.#enterIf(gate, name, way, membership)) this.#enterChannel(name, way, membership);
      }
    } catch (error) {
      consumer.error(error);
    }
    return membership;
  }

  #enterChannel(name: string, { reader, client, isUnpaced }: Way, membership: Membership): void {
    const { replay, ifAbsent } = this.request;
    const cursor = reader.enter(name, { lastEventId: this.#positionIn(client), replay, ifAbsent });
    if (!this.request.authorize) cursor.isForAll = true;
    membership.enter(cursor, isUnpaced);
  }

  /** @returns false where nobody is asked */
  #enterIf(gate: ChannelGate, name: string, way: Way, membership: Membership): boolean {
    return way.reader.ask(gate, name, (isGranted) => {
      try {
        if (membership.isOver) return;
        if (isGranted) return this.#enterChannel(name, way, membership);
        gate.denied(name);
        membership.denied();
      } catch (error) {
        membership.error(error);
      }
    });
  }
}

/** One subscription to the events of some channels, which a reader reads. */
class Membership implements EventConsumer, Unsubscribable {
  readonly wants?: (entry: LogEntry, channel: Channel) => boolean;
  readonly caughtUp?: () => void;
  isOver = false;
  #cursors: readonly Cursor[] = [];
  /** How many of the channels have not completed. */
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

  enter(cursor: Cursor, isUnpaced: boolean): void {
    cursor.isUnpaced ||= isUnpaced;
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
    this.isOver = true;
    const cursors = this.#cursors;
    this.#cursors = [];
    for (const cursor of cursors) {
      cursor.part(this);
      if (!cursor.isWanted) this.reader.leave(cursor);
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
