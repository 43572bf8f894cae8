import type { AnyEvents, EventMap } from '../log/sse-event.js';
import { ChannelsClient } from './channels-client.js';
import { SseClient } from './client.js';
import { EventSourceTransport, type EventSourceOptions } from './event-source-transport.js';
import { FetchChannelsTransport } from './fetch-channels-transport.js';
import { FetchTransport } from './fetch-transport.js';
import type { ChannelsOptions, ConnectOptions } from './options.js';

/**
 * Connects to a stream. After a lost connection the client reconnects by itself, and resumes from its position.
 *
 * @param url absolute; in a browser it may be relative to the page
 *
 * @example
 * ```ts
 * const client = connect<{ price: Price }>('/quotes/ACME');
 * client.on('price', (price) => show(price));
 * client.subscribe(() => showState(client.state));
 * ```
 */
export const connect = <Events extends EventMap = AnyEvents>(
  url: string | URL,
  options: ConnectOptions = {},
): SseClient<Events> => new SseClient<Events>(options, new FetchTransport(url, options)).start();

/**
 * Connects to the endpoint, which streams the channels that the client names, all of them over one connection.
 *
 * @param url absolute; in a browser it may be relative to the page
 *
 * @example
 * ```ts
 * const client = connectChannels('/events');
 * const room = client.channel(Room.of({ room: 'lobby' }));
 * room.on('message', (message) => show(message));
 * ```
 */
export const connectChannels = (url: string | URL, options: ChannelsOptions = {}): ChannelsClient => {
  const transport = (): FetchChannelsTransport => new FetchChannelsTransport(url, options);
  return new ChannelsClient(options, transport(), transport).start();
};

/**
 * `connect()` by the browser's own EventSource: for pages that want what only that has, such as the stream in the browser's tools. It
 * sends no headers, notices no connection that died in silence, and reads on while nobody takes the events.
 *
 * @example
 * ```ts
 * const client = connectByEventSource<{ price: Price }>('/quotes/ACME', { types: ['price'] });
 * ```
 */
export const connectByEventSource = <Events extends EventMap = AnyEvents>(
  url: string | URL,
  options: EventSourceOptions,
): SseClient<Events> => new SseClient<Events>(options, new EventSourceTransport(url, options)).start();

export { checked, type CheckedBy, type InvalidEvent } from './checked.js';
export type { ChannelsClient } from './channels-client.js';
export type { SseClient } from './client.js';
export type { ChannelClient, ChannelOptions, ChannelState } from './channel.js';
export type { EventSourceOptions } from './event-source-transport.js';
export type { Live } from './live.js';
export type { AnyReceived, ChannelsOptions, ConnectOptions, HubNews, ReceivedEvent } from './options.js';
export type { ChannelMember } from './received.js';
export type { Closed, ConnectionState, Reconnecting } from './state.js';
export type { Gap, GapReason } from '../log/sse-event.js';
// Named by the types above; of no use by themselves.
export type { ClientOptions } from './options.js';
export type { ChannelNews, News, Received } from './received.js';
export type { ChannelsReceiver, Message, Receiver, Transport } from './transport.js';
