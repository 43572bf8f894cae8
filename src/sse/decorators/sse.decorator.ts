import { RequestMapping, RequestMethod, Res } from '@nestjs/common';
import { SseSignal } from '../delivery/nest-signal.js';
import { sseRoute } from '../delivery/sse-route.js';
import { checkRouteSettings, describeRoute, type SseRouteSettings } from '../delivery/sse-route.metadata.js';

/** Options of `@Sse()`. What is left out is as the module, or the channel, says. */
export interface SseRouteOptions extends SseRouteSettings {
  /** HTTP request method of the route. @defaultValue RequestMethod.GET */
  readonly method?: RequestMethod;
}

/**
 * Declares a route that streams events. Its method returns an Observable, or a Promise of one: a
 * stream of the hub, piped or not, several merged, or any other.
 *
 * It is an ordinary route: guards, pipes, interceptors and filters run as on any other. The head of
 * the response is sent when the method has resolved and the client's position is known, so an error
 * until then is an ordinary HTTP error. One after that is sent as `event: error`, and ends the stream.
 *
 * @param path path of the route, as in `@Get()`
 * @throws SseError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * @Sse(':id/events')
 * events(@Param('id') id: string): Observable<SseEvent> {
 *   return this.hub.stream(`orders/${id}`);
 * }
 * ```
 */
export function Sse(path?: string | string[], options: SseRouteOptions = {}): MethodDecorator {
  checkRouteSettings(options);
  const { method = RequestMethod.GET, ...settings } = options;
  return (target: object, key: string | symbol, descriptor: PropertyDescriptor) => {
    const original = descriptor.value as (...args: unknown[]) => unknown;
    const injected = injectedParameters(target, key);
    // Nest leaves a response alone that it has injected; after the parameters of the method it is in nobody's way.
    const responseIndex = parameterCount(target, key, original, injected);
    Res()(target, key, responseIndex);
    descriptor.value = sseRoute(original, responseIndex);
    RequestMapping({ path: path ?? '/', method })(target, key, descriptor);
    const hasSignal = SIGNAL !== undefined && Object.keys(injected).some((name) => name.startsWith(SIGNAL));
    describeRoute({ settings, hasSignal })(target, key, descriptor);
    return descriptor;
  };
}

/** What the names begin with under which Nest notes the parameters that `@SseSignal()` injects. */
const SIGNAL = ((): string | undefined => {
  if (!SseSignal) return undefined;
  class Probe {
    method(): void {}
  }
  SseSignal()(Probe.prototype, 'method', 0);
  return (Object.keys(injectedParameters(Probe.prototype, 'method'))[0] as string).replace(/0$/, '');
})();

type InjectedParameters = Readonly<Record<string, { readonly index: number }>>;

function injectedParameters(target: object, key: string | symbol): InjectedParameters {
  return (Reflect.getMetadata('__routeArguments__', target.constructor, key) ?? {}) as InjectedParameters;
}

/** How many parameters a method has, those with a default among them. */
function parameterCount(
  target: object,
  key: string | symbol,
  method: (...args: unknown[]) => unknown,
  injected: InjectedParameters,
): number {
  const types = Reflect.getMetadata('design:paramtypes', target, key) as unknown[] | undefined;
  return Math.max(
    method.length,
    types?.length ?? 0,
    ...Object.values(injected).map(({ index }) => index + 1),
  );
}
