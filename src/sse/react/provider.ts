import {
  createContext,
  createElement,
  useContext,
  useInsertionEffect,
  useMemo,
  type ReactElement,
  type ReactNode,
} from 'react';
import type { ChannelsClient, ChannelsOptions } from '../client/index.js';
import { Connection } from './connection.js';

/** What `<SseProvider>` is given: the URL of the endpoint, or a client of it. */
export type SseProviderProps = { readonly children?: ReactNode } & (
  | {
      /** Absolute, or relative to the page. The connection is open while a `useChannel()` or `usePresence()` below uses it. */
      readonly url: string | URL;
      readonly options?: ChannelsOptions;
      readonly client?: never;
    }
  | {
      /** It is not closed by the provider. */
      readonly client: ChannelsClient;
      readonly url?: never;
      readonly options?: never;
    }
);

const Shared = createContext<Connection | undefined>(undefined);

/**
 * Gives the hooks below one connection.
 *
 * @example
 * ```tsx
 * <SseProvider url="/events">
 *   <Room room="lobby" />
 * </SseProvider>
 * ```
 */
export function SseProvider({ url, options, client, children }: SseProviderProps): ReactElement {
  const to = client ?? String(url);
  const connection = useMemo(() => new Connection(to), [to]);
  useInsertionEffect(() => {
    connection.options = options ?? {};
  });
  return createElement(Shared.Provider, { value: connection }, children);
}

/** @throws Error outside of a provider */
export function useConnection(): Connection {
  const connection = useContext(Shared);
  if (!connection) throw new Error('There is no <SseProvider url="…"> around this component.');
  return connection;
}
