import {
  createParamDecorator,
  HttpCode,
  Inject,
  Injectable,
  RequestMapping,
  RequestMethod,
  Res,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { SseError } from '../sse.errors.js';
import { inPlaceOf, servedWithin, type Method } from '../wrapped-method.js';
import { Exchange } from './exchange.js';
import { offerSignal } from './signal.js';
import {
  checkRouteSettings,
  describeRoute,
  parametersOf,
  type SseRouteSettings,
} from './sse-route.metadata.js';
import { RoutedRequest, SseServer } from './sse-server.js';

/*
 * The way of a request from Nest's routing to its connection. The guard of the route notes the request on its response,
 * and the wrapper around the method finds it there. Neither the method nor the controller can hold it: applications wrap those.
 */

/** Options of `@Sse()`. An option that is left out has the value of the module or the channel. */
export interface SseRouteOptions extends SseRouteSettings {
  /**
   * HTTP request method of the route. The status is 200 with each of them, unless `@HttpCode()` says otherwise.
   * @defaultValue RequestMethod.GET
   */
  readonly method?: RequestMethod;
}

/** The result of a method with `@Sse()`. */
export type Streamed = Observable<unknown> | AsyncIterable<unknown>;

/** Decorates a method that returns a stream. */
export interface SseDecorator {
  <Decorated extends (...args: never[]) => Streamed | PromiseLike<Streamed>>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<Decorated>,
  ): void;
  /** Never called: this signature lets `applyDecorators()` accept the decorator. */
  (target: object, key: string | symbol, ...none: never[]): void;
}

/**
 * Notes which application's server a response is for. It guards nothing: of all that a decorator can add, only a guard is
 * made for each application, runs before interceptors, and is given the response.
 */
@Injectable()
export class SseRouteGuard implements CanActivate {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  canActivate(context: ExecutionContext): boolean {
    // Not refused here: guards of the application come first. Without a server the wrapper says what is missing.
    const server = SseServer.of(this.modules);
    const route = server?.routeOf(context.getClass(), context.getHandler());
    if (!server || !route || route.isStock) return true;
    const http = context.switchToHttp();
    if (route.asksForSignal || server.intercepts(route)) offerSignal(http.getRequest<object>());
    RoutedRequest.note(http.getResponse<object>(), new RoutedRequest(server, route));
    return true;
  }
}

/**
 * Declares a route that streams events. Its method returns an Observable: a stream of the hub, piped or not, several
 * merged, or any other; or an async iterable, which is asked for its next value when the client can take it; or a
 * Promise of one of these.
 *
 * It is an ordinary route: guards, pipes, interceptors and filters run as on any other. The head of
 * the response is sent when the method has resolved and the client's position is known, so an error
 * until then is an ordinary HTTP error. One after that is sent as `event: error`, and ends the stream.
 *
 * Decorators above and below it may wrap the method. They have to copy its metadata, as Nest's conventions ask for, and
 * to pass all arguments on: after those of the method there is one more.
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
export function Sse(path?: string | string[], options: SseRouteOptions = {}): SseDecorator {
  checkRouteSettings(options);
  const { method = RequestMethod.GET, ...settings } = options;
  return (target: object, key: string | symbol, descriptor: PropertyDescriptor): void => {
    const original = descriptor.value as Method;
    // Nest does not answer where it has injected the response. After the parameters of the method it is in nobody's way.
    const responseIndex = parameterCount(target, key, original);
    Res()(target, key, responseIndex);
    // The method may have asked for the response with `passthrough`, and then Nest would answer all the same.
    Reflect.defineMetadata(PASSTHROUGH, false, target.constructor, key);
    descriptor.value = sseRoute(original, responseIndex);
    RequestMapping({ path: path ?? '/', method })(target, key, descriptor);
    // Nest's status of a POST is 201, and a stream has created nothing. A decorator above this one replaces it.
    if (!Reflect.hasMetadata(STATUS, original)) HttpCode(200)(target, key, descriptor);
    UseGuards(SseRouteGuard)(target, key, descriptor);
    describeRoute({ key, settings })(target, key, descriptor);
  };
}

/**
 * Wraps the method of a controller: the application that has routed the request serves the response.
 *
 * @param responseIndex the parameter in which Nest injects the response
 */
function sseRoute(method: Method, responseIndex: number): Method {
  function route(this: unknown, ...args: unknown[]): unknown {
    const response = args[responseIndex];
    // Called by a method that overrides it, or by a test: nobody has routed a request to it.
    if (typeof response !== 'object' || response === null) return method.apply(this, args);
    const routed = RoutedRequest.of(response);
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

/**
 * Injects the position that the client sent, for a method that uses it: the `Last-Event-ID` header, else the query
 * parameter `lastEventId`, else undefined. `hub.stream()` reads it by itself.
 */
export const LastEventId: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => {
    const http = context.switchToHttp();
    return new Exchange(http.getResponse<object>()).lastEventId;
  },
);

/** Nest's key for the status that `@HttpCode()` sets. */
const STATUS = '__httpCode__';

/** Nest's key for whether it answers although the response is injected. */
const PASSTHROUGH = '__responsePassthrough__';

/** How many parameters a method has, those with a default among them. */
function parameterCount(target: object, key: string | symbol, method: Method): number {
  const types = Reflect.getMetadata('design:paramtypes', target, key) as unknown[] | undefined;
  const indices = Object.values(parametersOf(target.constructor, key)).map(({ index }) => index);
  return Math.max(method.length, types?.length ?? 0, ...indices.map((index) => index + 1));
}
