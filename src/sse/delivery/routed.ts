import type { SseConnection } from './sse-connection.js';
import type { ServedRoute, SseServer } from './sse-server.js';

/** A request that Nest has routed to a method with `@Sse()`. */
export interface Routed {
  /** The server of the application that has routed it. */
  readonly server: SseServer;
  readonly route: ServedRoute;
  /** Its one connection, once it was made: by the interceptor where others apply, otherwise by the method. */
  connection?: SseConnection;
}

const ROUTED = Symbol('Routed');

interface Noted {
  [ROUTED]?: Routed;
}

/** @param response as the adapter has it */
export function noteRouted(response: object, routed: Routed): void {
  (response as Noted)[ROUTED] = routed;
}

/**
 * What was noted of a request. It is found by its response, and not by the method or the instance that is called:
 * applications wrap those.
 *
 * @param response as the adapter has it
 */
export const routedTo = (response: object): Routed | undefined => (response as Noted)[ROUTED];
