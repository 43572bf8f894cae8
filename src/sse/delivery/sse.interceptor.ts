import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { Observable, type Subscriber } from 'rxjs';
import { onceOver } from './closing.js';
import { Exchange } from './exchange.js';
import { SSE_ABORT_CONTROLLER } from './nest-signal.js';
import { NestHead, OwnHead, type ResponseHead } from './response-head.js';
import { ObservedOutcome } from './route-outcome.js';
import { announceConnection } from './sse-route.js';
import { SseServer, type ServedRoute } from './sse-server.js';

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
    if (!route || route.isDirect) return next.handle();
    return new Observable((toNest) => this.#serve(route, context, next, toNest));
  }

  #serve(
    route: ServedRoute,
    context: ExecutionContext,
    next: CallHandler,
    toNest: Subscriber<unknown>,
  ): (() => void) | undefined {
    const http = context.switchToHttp();
    const response = http.getResponse<object>();
    const exchange = new Exchange(response);
    const head = headOf(route, exchange, toNest);
    if (exchange.isOver) {
      head.release();
      return undefined;
    }
    const connection = this.server.admit(route, exchange, head);
    if (!connection) return undefined;
    if (!route.isStock) {
      attachSignal(http.getRequest<object>(), exchange);
      announceConnection(response, connection);
    }
    this.server.run(connection, () => {
      connection.serve(next.handle());
      // Of a stock route nothing tells when its method has resolved, and Nest does not wait for it either.
      if (route.isStock) connection.ready();
    });
    return () => {
      connection.close();
    };
  }
}

function headOf(route: ServedRoute, exchange: Exchange, toNest: Subscriber<unknown>): ResponseHead {
  return route.isStock
    ? new NestHead(exchange, new ObservedOutcome(toNest, false))
    : new OwnHead(exchange, route.settings.allowTransform ?? false, new ObservedOutcome(toNest, true));
}

/** What `@SseSignal()` hands out; it is made for those alone who ask for it. */
function attachSignal(request: object, exchange: Exchange): void {
  if (!SSE_ABORT_CONTROLLER) return;
  let controller: AbortController | undefined;
  const make = (): AbortController => {
    const made = new AbortController();
    if (exchange.isOver) made.abort();
    else
      onceOver(exchange, () => {
        made.abort();
      });
    return made;
  };
  Object.defineProperty(request, SSE_ABORT_CONTROLLER, {
    configurable: true,
    get: () => (controller ??= make()),
  });
}
