import {
  Inject,
  Injectable,
  SSE_ABORT_CONTROLLER,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { from, Observable, of, type Subscriber } from 'rxjs';
import { Channels } from '../hub/channels.js';
import { Connections } from '../hub/connections.js';
import { StreamContext } from '../hub/stream-context.js';
import { SSE_SETTINGS, type SseSettings } from '../sse.settings.js';
import { Admission } from './admission.js';
import { onceOver } from './closing.js';
import type { ConnectionServices, ConnectionSettings, Returnable } from './connection-settings.js';
import { Exchange } from './exchange.js';
import { Heartbeat } from './heartbeat.js';
import { NestHead, OwnHead, type ResponseHead } from './response-head.js';
import { AwaitedOutcome, ObservedOutcome } from './route-outcome.js';
import { SseConnection } from './sse-connection.js';
import { announceConnection } from './sse-route.js';
import { routeOf, type RouteDescription } from './sse-route.metadata.js';

/** A route that streams events, and what holds for its responses. */
interface ServedRoute extends RouteDescription {
  readonly connection: ConnectionSettings;
}

/**
 * Serves `@Sse()` routes, ours and Nest's. It is the outermost interceptor: what comes out of all
 * others goes to the client, and the method and all others run in the connection's context.
 */
@Injectable()
export class SseInterceptor implements NestInterceptor {
  private readonly services: ConnectionServices;
  /** By class and method; undefined for routes that stream no events. */
  private readonly routes = new WeakMap<object, Map<object, ServedRoute | undefined>>();

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    channels: Channels,
    connections: Connections,
    heartbeat: Heartbeat,
    private readonly context: StreamContext,
    private readonly admission: Admission,
    private readonly config: ApplicationConfig,
  ) {
    const turnAway = (connection: Returnable): void => {
      admission.turnAway(connection);
    };
    this.services = { channels, connections, heartbeat, turnAway };
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const route = context.getType() === 'http' ? this.#routeOf(context) : undefined;
    if (!route) return next.handle();
    if (!route.isStock && this.#isAlone(route)) return this.#serveDirectly(route, context, next);
    return new Observable((toNest) => this.#serve(route, context, next, toNest));
  }

  /** Nobody else wants to see what the method returns: it is served without a detour through Nest. */
  #serveDirectly(route: ServedRoute, context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { request, response, exchange } = exchangeOf(context);
    if (exchange.isOver) return of(undefined);
    const outcome = new AwaitedOutcome();
    const { settled } = outcome;
    const head = new OwnHead(exchange, route.settings.allowTransform ?? false, outcome);
    const connection = new SseConnection(exchange, head, route.connection, this.services);
    if (this.admission.refuses(connection)) return from(settled ?? Promise.resolve());
    this.admission.admit(connection);
    if (route.hasCustomParameters) attachSignal(request, exchange);
    announceConnection(response, connection, outcome);
    return this.context.run(connection, () => next.handle());
  }

  #serve(
    route: ServedRoute,
    context: ExecutionContext,
    next: CallHandler,
    toNest: Subscriber<unknown>,
  ): (() => void) | undefined {
    const { request, response, exchange } = exchangeOf(context);
    const head = headOf(route, exchange, toNest);
    if (exchange.isOver) {
      head.release();
      return undefined;
    }
    const connection = new SseConnection(exchange, head, route.connection, this.services);
    const close = (): void => {
      connection.close();
    };
    if (this.admission.refuses(connection)) return close;
    this.admission.admit(connection);
    if (!route.isStock) {
      attachSignal(request, exchange);
      announceConnection(response, connection, undefined);
    }
    this.context.run(connection, () => {
      connection.serve(next.handle());
    });
    // Of a stock route nothing tells when its method has resolved, and Nest does not wait for it either.
    if (route.isStock) connection.ready();
    return close;
  }

  #routeOf(context: ExecutionContext): ServedRoute | undefined {
    const controller = context.getClass();
    const method = context.getHandler();
    const known = this.routes.get(controller) ?? new Map<object, ServedRoute | undefined>();
    if (known.has(method)) return known.get(method);
    const route = routeOf(context);
    const served = route && { ...route, connection: this.#settingsOf(route) };
    this.routes.set(controller, known.set(method, served));
    return served;
  }

  #settingsOf({ isStock, settings }: RouteDescription): ConnectionSettings {
    const { heartbeat, retry, limits, shutdown } = this.settings;
    return {
      heartbeat: settings.heartbeat ?? heartbeat,
      retry,
      queuedBytes: settings.queuedBytes ?? limits.queuedBytes,
      coalesce: settings.coalesce ?? 0,
      maxChannels: limits.channelsPerConnection,
      grace: shutdown.grace,
      slow: settings.slow,
      numbered: isStock,
    };
  }

  /** Whether nobody else wants to see what the method returns. */
  #isAlone(route: RouteDescription): boolean {
    return (
      !route.isIntercepted &&
      this.config.getGlobalInterceptors().length === 1 &&
      this.config.getGlobalRequestInterceptors().length === 0
    );
  }
}

function exchangeOf(context: ExecutionContext): {
  readonly request: object;
  readonly response: object;
  readonly exchange: Exchange;
} {
  const http = context.switchToHttp();
  const request = http.getRequest<object>();
  const response = http.getResponse<object>();
  return { request, response, exchange: new Exchange(request, response) };
}

function headOf(route: ServedRoute, exchange: Exchange, toNest: Subscriber<unknown>): ResponseHead {
  return route.isStock
    ? new NestHead(exchange, new ObservedOutcome(toNest, false))
    : new OwnHead(exchange, route.settings.allowTransform ?? false, new ObservedOutcome(toNest, true));
}

/** What `@SseSignal()` hands out; it is made for those alone who ask for it. */
function attachSignal(request: object, exchange: Exchange): void {
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
