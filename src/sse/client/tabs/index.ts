import type { AnyEvents, EventMap } from '../../log/sse-event.js';
import { ChannelsClient } from '../channels-client.js';
import { SseClient } from '../client.js';
import { addressOf } from '../environment.js';
import { FetchChannelsTransport } from '../fetch-channels-transport.js';
import { FetchTransport } from '../fetch-transport.js';
import type { ChannelsOptions, ConnectOptions } from '../options.js';
import { locks } from './locks.js';
import { TabsTransport } from './tabs-transport.js';

/** What tabs have to know in order to share a connection. */
export interface TabsOptions {
  /**
   * Who the user is, such as an id; something constant where all are the same to the server. Tabs share a connection only where it
   * is equal, along with address and credentials.
   */
  readonly identity: string;
}

/** Options of `connectInTabs()`. Which connection it is, and what was requested, is the same for all tabs. */
export type ConnectInTabsOptions = Omit<ConnectOptions, 'method' | 'body' | 'onConnection'> & TabsOptions;

/** Options of `connectChannelsInTabs()`. */
export type ChannelsInTabsOptions = Omit<ChannelsOptions, 'onConnection'> & TabsOptions;

/**
 * `connect()`, with one connection for all tabs of a browser. Where the browser cannot share it, because the page is not secure for
 * example, each tab has its own.
 *
 * @throws Error without an identity
 *
 * @example
 * ```ts
 * const client = connectInTabs<{ price: Price }>('/quotes/ACME', { identity: user.id });
 * ```
 */
export const connectInTabs = <Events extends EventMap = AnyEvents>(
  url: string | URL,
  options: ConnectInTabsOptions,
): SseClient<Events> => {
  const plain = (): FetchTransport => new FetchTransport(url, options);
  return new SseClient<Events>(options, inTabs(plain, 'stream', url, options)).start();
};

/**
 * `connectChannels()`, with one connection for all tabs of a browser. It streams the channels that any of them wants.
 *
 * @throws Error without an identity
 */
export const connectChannelsInTabs = (url: string | URL, options: ChannelsInTabsOptions): ChannelsClient => {
  const plain = (): FetchChannelsTransport => new FetchChannelsTransport(url, options);
  return new ChannelsClient(options, inTabs(plain, 'channels', url, options), plain).start();
};

/** Shares a transport with all tabs that would have the same, where the browser can. */
function inTabs<Plain extends FetchTransport | FetchChannelsTransport>(
  plain: () => Plain,
  kind: string,
  url: string | URL,
  { identity, credentials }: ChannelsInTabsOptions,
): Plain | TabsTransport {
  if (!identity) throw new Error('Give "identity".');
  const name = `${kind} ${credentials} ${addressOf(url).href} ${identity}`;
  return locks ? new TabsTransport(name, plain) : plain();
}
