import {
  Injectable,
  Logger,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Observable, tap, type Subscriber } from 'rxjs';
import { originOf } from '../log/published-event.js';
import type { SseEvent } from '../log/sse-event.js';
import { isObject, isThenable } from '../values.js';
import type { Exchange } from './exchange.js';
import { NestHead, OwnHead, type ResponseHead } from './response-head.js';
import type { SseConnection } from './sse-connection.js';
import { SseServer, type ServedRoute } from './sse-server.js';

const logger = new Logger('SseInterceptor');

/**
 * Serves `@Sse()` routes of Nest, and those of ours whose results other interceptors see. It is the
 * outermost interceptor: what comes out of all others goes to the client, and the method and all others run
 * in the connection's context.
 */
@Injectable()
export class SseInterceptor implements NestInterceptor {
  constructor(private readonly server: SseServer) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const route = this.server.routeOf(context.getClass(), context.getHandler());
    if (!route || !this.server.intercepts(route)) return next.handle();
    // Interceptors that wrap what routes return leave streams alone, which they know by Nest's mark on the handler.
    if (!route.isStock) Object.assign(context, { getHandler: () => route.standIn });
    return new Observable((toNest) => this.#serve(route, context, next, toNest));
  }

  #serve(
    route: ServedRoute,
    context: ExecutionContext,
    next: CallHandler,
    toNest: Subscriber<unknown>,
  ): (() => void) | undefined {
    const fail = (error: unknown): void => toNest.error(error);
    // On a route of this package Nest awaits the last value, so there must be one.
    const done = (): void => {
      toNest.next(undefined);
      toNest.complete();
    };
    const headOf = (exchange: Exchange): ResponseHead =>
      route.isStock ? new NestHead(exchange, toNest) : new OwnHead(exchange, route, { done, fail });
    const response = context.switchToHttp().getResponse<object>();
    const connection = this.server.connect(route, response, headOf, (made) => {
      made.serve(this.#watched(next.handle(), made, route));
      // Nothing tells when the method of a stock route has resolved, and Nest does not wait for it either.
      if (route.isStock) made.ready();
    });
    return connection && (() => connection.close('client'));
  }

  /** Tells once for a route that an interceptor changes its events. */
  #watched(
    outcome: Observable<unknown>,
    { pipeline }: SseConnection,
    route: ServedRoute,
  ): Observable<unknown> {
    const { warned } = route.connection;
    if (warned.has('wrapped')) return outcome;
    return outcome.pipe(
      tap((value) => {
        if (warned.has('wrapped') || !isWrapped(value, pipeline.shown)) return;
        warned.add('wrapped');
        const names = [...this.server.interceptors, ...route.interceptors].map(nameOf).join(', ');
        logger.warn(
          `An interceptor changes the events of ${route.name}, and their types are lost: ${names}. Let it pass streams by: if (isSseRoute(context)) return next.handle().`,
        );
      }),
    );
  }
}

/** Whether an interceptor has put an event of the hub into another value, as one that wraps what routes return does. */
function isWrapped(value: unknown, event: unknown): boolean {
  if (value === event || !isObject(value) || isThenable(value)) return false;
  if (!isObject(event) || !originOf(event)) return false;
  const { type, data } = value as { readonly type?: unknown; readonly data?: unknown };
  return type === undefined && ((event as SseEvent).type !== undefined || data === event);
}

/** @param interceptor an instance, or a class */
const nameOf = (interceptor: object): string =>
  typeof interceptor === 'function' ? interceptor.name : interceptor.constructor.name;
