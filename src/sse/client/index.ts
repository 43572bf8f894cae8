import type { AnyEvents, EventMap } from '../log/sse-event.js';
import { SseClient, type ConnectOptions } from './connection.js';

/**
 * Connects to a stream. It comes back by itself after a lost connection, with the position that it has come to.
 *
 * @param url absolute, or in a browser relative to the page
 *
 * @example
 * ```ts
 * const client = connect<{ price: Price }>('/quotes/ACME');
 * client.on('price', (price) => show(price));
 * client.subscribe(() => showState(client.state));
 * ```
 */
export function connect<Events extends EventMap = AnyEvents>(
  url: string | URL,
  options: ConnectOptions = {},
): SseClient<Events> {
  return new SseClient<Events>(url, options);
}

export type { SseClient, AnyReceived, ConnectOptions, HubNews, ReceivedEvent } from './connection.js';
export type { Closed, ConnectionState, Reconnecting } from './state.js';
export type { Gap, GapReason } from '../log/sse-event.js';
