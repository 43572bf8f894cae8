import { isObservable, type Observable } from 'rxjs';
import { isThenable } from '../hub/thenable.js';
import { SseError } from '../sse.errors.js';
import type { SseConnection } from './sse-connection.js';
import { inPlaceOf, type Method } from './wrapped-method.js';

/**
 * Serves a request that has come to a route.
 *
 * @param response the adapter's response, which Nest injects
 * @param call calls the method that the user wrote
 */
export type DirectServer = (response: object, call: () => unknown) => unknown;

/** Who serves the routes of a controller's instance from their methods. */
const servers = new WeakMap<object, Map<Method, DirectServer>>();

/** Has a method of a controller served without an interceptor. */
export function adoptRoute(instance: object, method: Method, server: DirectServer): void {
  const routes = servers.get(instance) ?? new Map<Method, DirectServer>();
  servers.set(instance, routes.set(method, server));
}

/** The connection that the interceptor has made for a response. */
const announced = new WeakMap<object, SseConnection>();

/**
 * Hands a connection over to the method of its route.
 *
 * @param response the adapter's response, which Nest injects
 */
export function announceConnection(response: object, connection: SseConnection): void {
  announced.set(response, connection);
}

/**
 * A method around a controller's. It has the response served where nobody else wants to see what the
 * method returns, and elsewhere tells the connection when the method has resolved. An interceptor cannot:
 * what it sees begins when the stream emits.
 *
 * @param responseIndex the parameter in which Nest injects the response
 */
export function sseRoute(method: Method, responseIndex: number): Method {
  function route(this: unknown, ...args: unknown[]): unknown {
    const response = args[responseIndex];
    // Called by a method that overrides it, or by a test: nobody has routed a request to it.
    if (typeof response !== 'object' || response === null) return method.apply(this, args);
    const call = (): unknown => method.apply(this, args.slice(0, responseIndex));
    const server = servers.get(this as object)?.get(route);
    if (server) return server(response, call);
    const connection = announced.get(response);
    if (!connection) {
      throw new SseError(
        'MODULE_MISSING',
        'This @Sse() route needs SseModule.forRoot() among the imports of the application.',
      );
    }
    return resolved(connection, call());
  }
  return inPlaceOf(method, route);
}

/** What a method has returned. @throws TypeError */
export function observableOf(returned: unknown): Observable<unknown> {
  if (isObservable(returned)) return returned;
  throw new TypeError('A method with @Sse() returns an Observable, or a Promise of one.');
}

function resolved(connection: SseConnection, result: unknown): unknown {
  if (isThenable(result)) return Promise.resolve(result).then((returned) => resolved(connection, returned));
  const source = observableOf(result);
  connection.ready();
  return connection.pipeline.own(source);
}
