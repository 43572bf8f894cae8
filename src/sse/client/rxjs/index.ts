import { Observable } from 'rxjs';
import type { EventMap, EventsOf } from '../../log/sse-event.js';
import type {
  AnyReceived,
  ChannelOptions,
  ChannelsClient,
  ConnectionState,
  Live,
  SseClient,
} from '../index.js';

/** Something that is over with a reason: a client, or one of its channels. */
export interface Stated<State> {
  readonly state: State;
  readonly subscribe: (listener: () => void) => () => void;
}

/**
 * The events of a channel. Each subscription joins it, and unsubscribing leaves it.
 *
 * It completes when the channel is closed, or the client has everything. It fails where the client may not have the channel, or was
 * refused, or has failed.
 *
 * @example
 * ```ts
 * const client = connectChannels('/events');
 * const messages = toSignal(fromChannel(client, Room.of({ room: '7' })).pipe(scan((all, event) => [...all, event], [])));
 * ```
 */
export const fromChannel = <Name extends string>(
  client: ChannelsClient,
  name: Name,
  options?: ChannelOptions,
): Observable<AnyReceived<EventsOf<Name>>> =>
  new Observable((subscriber) => {
    const channel = client.channel(name, options);
    const ended = (): void => {
      const { state } = channel;
      if (state.kind === 'denied')
        subscriber.error(new Error(`The channel "${name}" is denied: ${state.reason}.`));
      else if (state.kind === 'refused') subscriber.error(new Error(state.message));
      else subscriber.complete();
    };
    return streamed(
      channel,
      (event) => subscriber.next(event),
      ended,
      (error) => subscriber.error(error),
    );
  });

/**
 * The events of a stream. Each subscription makes a connection, and unsubscribing closes it.
 *
 * It completes when the connection is closed, or has everything. It fails where the connection was refused, or has failed.
 *
 * @param open makes the connection: `() => connect(url)`
 */
export const fromClient = <Events extends EventMap>(
  open: () => SseClient<Events>,
): Observable<AnyReceived<Events>> =>
  new Observable((subscriber) =>
    streamed(
      open(),
      (event) => subscriber.next(event),
      () => subscriber.complete(),
      (error) => subscriber.error(error),
    ),
  );

/** The state of now, and each one that follows. It completes after `closed`, or `left`. */
export const fromState = <State extends ConnectionState | { readonly kind: string }>(
  of: Stated<State>,
): Observable<State> =>
  new Observable((subscriber) => {
    const tell = (): void => {
      subscriber.next(of.state);
      if (of.state.kind === 'closed' || of.state.kind === 'left') subscriber.complete();
    };
    subscriber.add(of.subscribe(tell));
    tell();
  });

/** The value of now, and each one that follows: of `members`, or of what `fold()` gives. */
export const fromLive = <Value>(live: Live<Value>): Observable<Value> =>
  new Observable((subscriber) => {
    subscriber.add(live.subscribe(() => subscriber.next(live.value)));
    subscriber.next(live.value);
  });

/** Hands on events, one after the other. @returns closes their source */
function streamed<Event>(
  source: AsyncIterable<Event> & { close(): void },
  next: (event: Event) => void,
  ended: () => void,
  failed: (error: unknown) => void,
): () => void {
  const run = async (): Promise<void> => {
    for await (const event of source) next(event);
  };
  run().then(ended, failed);
  return () => source.close();
}
