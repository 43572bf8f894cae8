import { useInsertionEffect, useMemo, useSyncExternalStore } from 'react';
import type { ChannelDefinition } from '../channels/channel-definition.js';
import type { ChannelParams } from '../channels/channel-pattern.js';
import type { ChannelMember, ConnectionState, ConnectOptions, SseClient } from '../client/index.js';
import type { AnyEvents, EventMap, EventsOf } from '../log/sse-event.js';
import { ChannelStore, type ChannelUse, type ChannelView } from './channel-store.js';
import { CONNECTING } from './connection.js';
import { PresenceStore } from './presence-store.js';
import { useConnection } from './provider.js';
import { StreamStore, type Handlers } from './stream-store.js';
import type { Store } from './store.js';

/** The parameters that fill the pattern of a definition; `undefined` for one without. */
type ParamsOf<Pattern extends string> = ChannelParams<Pattern>[0];

/**
 * Streams a channel over the connection of the provider while the component is mounted, and gives what its events make.
 *
 * The channel is known by its name: definition and parameters may be new objects in each render. The functions of the
 * newest render are called. The component is rendered once a frame at most, however many events come.
 *
 * @throws SseError `INVALID_CHANNEL`
 *
 * @example
 * ```tsx
 * const { value: messages, state } = useChannel(Room, { room }, {
 *   initial: [] as Message[],
 *   reduce: (messages, { type, data }) => (type === 'message' ? [...messages, data] : messages),
 * });
 * ```
 */
export function useChannel<Pattern extends string, Events extends EventMap, State>(
  definition: ChannelDefinition<Pattern, Events, EventMap>,
  params: ParamsOf<Pattern>,
  options: ChannelUse<Events, State>,
): ChannelView<State>;
/** @param name as `of()` of a definition gives it, so that its events are typed */
export function useChannel<Name extends string, State>(
  name: Name,
  options: ChannelUse<EventsOf<Name>, State>,
): ChannelView<State>;
export function useChannel(channel: Channel, ...rest: unknown[]): ChannelView<unknown> {
  const name = nameOf(channel, rest[0]);
  const options = rest[typeof channel === 'string' ? 0 : 1] as ChannelUse<AnyEvents, unknown>;
  const connection = useConnection();
  const store = useMemo(() => new ChannelStore(connection, name, options), [connection, name]);
  return useStore(store, options);
}

/**
 * Those who stream a channel, in the order of their coming: for channels with `presence: { events: true }`.
 *
 * @throws SseError `INVALID_CHANNEL`
 */
export function usePresence<Pattern extends string>(
  definition: Pick<ChannelDefinition<Pattern>, 'pattern' | 'of'>,
  params: ParamsOf<Pattern>,
): readonly ChannelMember[];
export function usePresence(name: string): readonly ChannelMember[];
export function usePresence(channel: Channel, params?: unknown): readonly ChannelMember[] {
  const name = nameOf(channel, params);
  const connection = useConnection();
  const store = useMemo(() => new PresenceStore(connection, name), [connection, name]);
  return useStore(store, undefined);
}

/** The state of the connection of the provider. It is `connecting` while no hook uses that. */
export function useConnectionState(): ConnectionState {
  const connection = useConnection();
  return useSyncExternalStore(
    connection.subscribe,
    () => connection.state,
    () => CONNECTING,
  );
}

/**
 * Streams a route while the component is mounted.
 *
 * @param source the URL, or a client, which is not closed
 * @param handlers functions by the type of the events that they are called with: those of the newest render, once a frame
 * for all of it
 * @param options of `connect()`, where the source is a URL
 * @returns the state of the connection
 *
 * @example
 * ```tsx
 * const state = useSse<{ price: Price }>('/quotes/ACME', { price: setPrice });
 * ```
 */
export function useSse<Events extends EventMap = AnyEvents>(
  source: string | URL | SseClient<Events>,
  handlers: Handlers<Events>,
  options: ConnectOptions = {},
): ConnectionState {
  const to = source instanceof URL ? source.href : source;
  const use = { handlers, options };
  const store = useMemo(() => new StreamStore(to, use), [to]);
  return useStore(store, use);
}

interface Definition {
  of(params: unknown): string;
}

type Channel = string | Definition;

const nameOf = (channel: Channel, params: unknown): string =>
  typeof channel === 'string' ? channel : channel.of(params);

function useStore<Value, Options>(store: Store<Value, Options>, options: Options): Value {
  // Before any effect that may have events arrive.
  useInsertionEffect(() => store.renew(options));
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot);
}
