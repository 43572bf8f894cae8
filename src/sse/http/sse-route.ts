import { SseError } from '../sse.errors.js';
import { routedTo } from './routed.js';
import { inPlaceOf, servedWithin, type Method } from '../wrapped-method.js';

/**
 * A method around a controller's: it has its response served by the application that has routed the request.
 *
 * @param responseIndex the parameter in which Nest injects the response
 */
export function sseRoute(method: Method, responseIndex: number): Method {
  function route(this: unknown, ...args: unknown[]): unknown {
    const response = args[responseIndex];
    // Called by a method that overrides it, or by a test: nobody has routed a request to it.
    if (typeof response !== 'object' || response === null) return method.apply(this, args);
    const routed = routedTo(response);
    if (!routed) {
      throw new SseError(
        'MODULE_MISSING',
        'This @Sse() route needs SseModule.forRoot() among the imports of the application.',
      );
    }
    return routed.answer(response, () => method.apply(this, args.slice(0, responseIndex)));
  }
  return servedWithin(inPlaceOf(method, route));
}
