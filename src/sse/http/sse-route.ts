import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { SseError } from '../sse.errors.js';
import { inPlaceOf, servedWithin, type Method } from '../wrapped-method.js';
import { offerSignal } from './signal.js';
import { RoutedRequest, SseServer } from './sse-server.js';

/*
 * The way of a request from Nest's routing to its connection. The guard of the route notes the request on its response,
 * and the wrapper around the method finds it there. Not by the method or the instance: applications wrap those.
 */

/**
 * Notes which application's server a response is for. It guards nothing: a guard is the one thing that a decorator can
 * add to a route which Nest makes for each application, runs before all interceptors, and hands the response.
 */
@Injectable()
export class SseRouteGuard implements CanActivate {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  canActivate(context: ExecutionContext): boolean {
    // Without a server the method says what is missing; guards of the application come first.
    const server = SseServer.of(this.modules);
    const route = server?.routeOf(context.getClass(), context.getHandler());
    if (!server || !route || route.isStock) return true;
    const http = context.switchToHttp();
    offerSignal(http.getRequest<object>());
    RoutedRequest.note(http.getResponse<object>(), new RoutedRequest(server, route));
    return true;
  }
}

/**
 * Wraps the method of a controller: the application that has routed the request serves the response.
 *
 * @param responseIndex the parameter in which Nest injects the response
 */
export function sseRoute(method: Method, responseIndex: number): Method {
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
