import { isObservable } from 'rxjs';
import { SseError } from '../sse.errors.js';
import type { AwaitedOutcome } from './route-outcome.js';
import type { SseConnection } from './sse-connection.js';

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** What the interceptor has made for a response, for the method of its route. */
interface Announced {
  readonly connection: SseConnection;
  /** Given where no other interceptor wants to see what the method returns. */
  readonly outcome: AwaitedOutcome | undefined;
}

const announced = new WeakMap<object, Announced>();

/**
 * Hands a connection over to the method of its route.
 *
 * @param response the adapter's response, which Nest injects
 * @param outcome what Nest waits for, where what the method returns is served directly
 */
export function announceConnection(
  response: object,
  connection: SseConnection,
  outcome: AwaitedOutcome | undefined,
): void {
  announced.set(response, { connection, outcome });
}

/**
 * A method around a controller's, which tells the connection when the method has resolved. An
 * interceptor cannot: what it sees begins when the stream emits.
 *
 * @param responseIndex the parameter in which Nest injects the response
 */
export function sseRoute(method: Method, responseIndex: number): Method {
  function route(this: unknown, ...args: unknown[]): unknown {
    const response = args[responseIndex];
    // Called by a method that overrides it, or by a test: nobody has routed a request to it.
    if (typeof response !== 'object' || response === null) return method.apply(this, args);
    const known = announced.get(response);
    if (!known) {
      throw new SseError(
        'MODULE_MISSING',
        'This @Sse() route needs SseModule.forRoot() among the imports of the application.',
      );
    }
    const result = method.apply(this, args.slice(0, responseIndex));
    return isThenable(result)
      ? Promise.resolve(result).then((returned) => resolved(known, response, returned))
      : resolved(known, response, result);
  }
  // Decorators below @Sse() have described the method that is wrapped here.
  for (const key of Reflect.getMetadataKeys(method))
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), route);
  return Object.defineProperty(route, 'name', { value: method.name });
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';

function resolved({ connection, outcome }: Announced, response: object, returned: unknown): unknown {
  if (!isObservable(returned)) {
    throw new TypeError('A method with @Sse() returns an Observable, or a Promise of one.');
  }
  if (outcome) {
    const { settled } = outcome;
    announced.delete(response); // nobody will call the method again
    connection.serveDirectly(returned);
    return settled;
  }
  connection.ready();
  return connection.pipeline.own(returned);
}
