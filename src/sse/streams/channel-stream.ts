import { Observable, type Observer, type Subscriber, type Unsubscribable } from 'rxjs';
import { formatIds, type LastEventId } from '../protocol/position.js';
import type { Replay } from '../sse.options.js';
import type { Channel } from '../channels/channel.js';
import type { LogEntry } from '../log/event-log.js';
import type { SseEvent } from '../log/sse-event.js';
import { isObject } from '../values.js';
import type { Cursor } from './cursor.js';
import { DETACHED } from './sink.js';
import { StreamReader } from './stream-reader.js';
import type { Streams } from './streams.js';

type Wants = (entry: LogEntry, channel: Channel) => boolean;

/** What `types` and `filter` of `hub.stream()` hide. */
export interface Filter {
  /** The types that pass; undefined for all. */
  readonly types: ReadonlySet<string> | undefined;
  /** Whether the application has given a function. */
  readonly hasFunction: boolean;
  /** Whether both let an event through. It throws what the application's function throws. */
  readonly wants: Wants;
}

/** The checked arguments of `hub.stream()`. */
export interface StreamRequest {
  readonly channels: readonly string[];
  /** The position to begin from if the client sends none. */
  readonly lastEventId: LastEventId;
  /** The events to give first if there is no position, in place of the channel's setting. */
  readonly replay: Replay | undefined;
  /** Whether the gate of the response is asked. */
  readonly authorize: boolean;
  /** Whether a channel that is not there ends the stream. */
  readonly ifAbsent: 'wait' | 'end';
  /** Whether the position that the client sent counts. */
  readonly begin: 'resume' | 'anew';
  /** Hides events; undefined where all are given. */
  readonly filter: Filter | undefined;
  readonly onCaughtUp: ((position: string) => void) | undefined;
}

/** How a stream gets to its subscriber. */
interface Way {
  readonly reader: StreamReader;
  /** The reader of the response that it belongs to, or that subscribed: its gate is asked. */
  readonly responseReader: StreamReader | undefined;
  /** The position that the client came with. */
  readonly brought: LastEventId | undefined;
  /** See {@link Cursor}. */
  readonly pace: Cursor['pace'];
}

/**
 * The events of some channels. In a response it reads from the client's position and at its pace; anywhere else it
 * is an ordinary Observable, and a gap is one of its events.
 */
export class ChannelStream extends Observable<SseEvent> {
  /** The reader of the response that it was made for. */
  readonly #madeFor: StreamReader | undefined;
  /** Whether it was made while the method ran, so that the method may have returned it. */
  readonly #isOfMethod: boolean;

  constructor(
    private readonly streams: Streams,
    readonly request: StreamRequest,
  ) {
    super((subscriber) => this.#subscribed(subscriber, this.#wayTo(subscriber)));
    this.#madeFor = streams.responseReader;
    this.#isOfMethod = this.#madeFor?.sink.method === 'running';
  }

  /** Makes it part of a response. */
  join(response: StreamReader, observer: Observer<SseEvent>): Unsubscribable {
    return this.#subscribed(observer, wayIn(response, 'client'));
  }

  #subscribed(observer: Observer<SseEvent>, way: Way): Unsubscribable {
    return new StreamSubscription(way.reader, observer, this.request).enter(way, this.request);
  }

  #wayTo(subscriber: Subscriber<SseEvent>): Way {
    const { request, streams } = this;
    const madeFor = this.#madeFor;
    const response = readerBehind(subscriber);
    if (response) return wayIn(response, 'client');
    // The method returned it behind an operator that hides its subscriber, such as share(). Others may have subscribed to it
    // as well and must not wait for this client.
    if (madeFor && this.#isOfMethod && madeFor.sink.method === 'subscribing')
      return wayIn(madeFor, 'unpaced');
    // The subscriber may lead to the client out of sight, and then begins where that was. One that says itself where to
    // begin does so, as firstValueFrom(hub.stream(channel, { replay: 1 })) does.
    const saysWhere = request.replay !== undefined || request.lastEventId.kind !== 'none';
    return {
      reader: new StreamReader(streams, DETACHED),
      // The response that subscribes counts, before the one that it was made for.
      responseReader: streams.responseReader ?? madeFor,
      brought: saysWhere ? undefined : madeFor?.position.brought,
      pace: 'client',
    };
  }
}

const wayIn = (response: StreamReader, pace: Way['pace']): Way => ({
  reader: response,
  responseReader: response,
  brought: response.position.brought,
  pace,
});

/** One subscription to the events of some channels. */
export class StreamSubscription implements Unsubscribable {
  readonly wants?: Wants;
  readonly filter?: Filter;
  /** Called once for each channel, when everything was handed on that was in its log when the cursor began. */
  readonly caughtUp?: () => void;
  closed = false;
  /** `later`: a cursor had started when it came, so it may not have got all that the cursor has handed on. */
  since: 'the start' | 'later' = 'the start';
  /** The number of channels that have not completed. */
  #open: number;

  constructor(
    private readonly reader: StreamReader,
    private readonly observer: Observer<SseEvent>,
    { channels, filter, onCaughtUp }: StreamRequest,
  ) {
    this.#open = channels.length;
    if (filter) {
      this.filter = filter;
      this.wants = (entry, channel) => this.#isWanted(filter.wants, entry, channel);
    }
    if (!onCaughtUp) return;
    let behind = channels.length;
    this.caughtUp = () => {
      if (--behind === 0) this.#guarded(() => onCaughtUp(this.#positionIn(channels)));
    };
  }

  /** Enters the channels, each when it is granted. */
  enter(way: Way, request: StreamRequest): this {
    this.#guarded(() => {
      for (const name of request.channels) this.#enterIfGranted(name, way, request);
    });
    return this;
  }

  next(event: SseEvent): void {
    this.observer.next(event);
  }

  error(error: unknown): void {
    this.observer.error(error);
  }

  /** One of the channels has ended. */
  complete(): void {
    if (--this.#open === 0) this.observer.complete();
  }

  unsubscribe(): void {
    this.closed = true;
    for (const cursor of this.reader.position.cursors)
      if (cursor.remove(this) && !cursor.isSubscribed) this.reader.leave(cursor);
  }

  #enterIfGranted(name: string, way: Way, request: StreamRequest): void {
    const gate = request.authorize ? way.responseReader?.sink.gate : undefined;
    const decided = (isGranted: boolean): void => {
      if (this.closed) return;
      if (isGranted) return this.#enter(name, way, request);
      gate?.denied(name);
      this.caughtUp?.(); // there is nothing to catch up with
      this.complete();
    };
    if (!gate || !this.reader.ask(gate, name, (isGranted) => this.#guarded(() => decided(isGranted))))
      this.#enter(name, way, request);
  }

  #enter(name: string, { reader, brought, pace }: Way, request: StreamRequest): void {
    // A position that the client sent comes first: that is where the client was when it lost its connection.
    const hasPosition = brought && brought.kind !== 'none' && request.begin === 'resume';
    const lastEventId = hasPosition ? brought : request.lastEventId;
    const cursor = reader.enter(name, lastEventId, request);
    // All subscriptions of a response to a channel share the cursor: these two hold for them all, to its end.
    if (!request.authorize) cursor.access = 'open';
    if (pace === 'unpaced') cursor.pace = 'unpaced';
    cursor.add(this);
  }

  /** Runs something that fails the stream if it throws. */
  #guarded(task: () => void): void {
    try {
      task();
    } catch (error) {
      this.observer.error(error);
    }
  }

  /**
   * Whether a subscription wants an event. If `wants` throws, the stream fails. The event then counts as wanted, so that
   * the client's position does not move past it and the client gets it when it comes back.
   */
  #isWanted(wants: Wants, entry: LogEntry, channel: Channel): boolean {
    try {
      return wants(entry, channel);
    } catch (error) {
      this.observer.error(error);
      return true;
    }
  }

  #positionIn(channels: readonly string[]): string {
    const cursors = channels
      .map((name) => this.reader.position.of(name))
      .filter((cursor) => cursor !== undefined);
    return formatIds(
      cursors.map(({ channel, read }) => [channel.name, channel.hasHistory ? channel.idOf(read) : undefined]),
    );
  }
}

/** Key under which the subscriber at the end of all operators of a response holds the response's reader. */
const READER = Symbol('StreamReader');

interface MarkedSubscriber {
  [READER]?: StreamReader;
}

/** Says that what reaches a subscriber goes to the client of a response. */
export function endsAt(subscriber: object, reader: StreamReader): void {
  (subscriber as MarkedSubscriber)[READER] = reader;
}

/**
 * The reader of the response that a subscriber leads to, through whatever operators. AsyncLocalStorage
 * cannot answer this: an event that was published in one request may make an operator of another subscribe.
 *
 * @returns undefined where the way cannot be seen, as through `share()`, or leads elsewhere
 */
export function readerBehind(subscriber: object): StreamReader | undefined {
  // rxjs gives every subscriber that an operator makes the one after it as its `destination`.
  for (let at: unknown = subscriber; isObject(at); at = (at as { destination?: unknown }).destination) {
    const reader = (at as MarkedSubscriber)[READER];
    if (reader) return reader;
  }
  return undefined;
}
