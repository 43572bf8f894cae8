import type { SseConnection } from './sse-connection.js';

/** A request that Nest has routed to a method with `@Sse()`. */
export interface Routed {
  /** Its one connection, once it was made: by the interceptor where others apply, otherwise by the method. */
  connection: SseConnection | undefined;
  /**
   * Serves its response, by the application that has routed it.
   *
   * @param response as the adapter has it
   * @param call calls the method that the user wrote
   * @returns what Nest is given
   */
  answer(response: object, call: () => unknown): unknown;
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
