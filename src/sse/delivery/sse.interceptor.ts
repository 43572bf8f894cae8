import {
  Inject,
  Injectable,
  SSE_ABORT_CONTROLLER,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { Observable, type Subscriber } from 'rxjs';
import { Channels } from '../hub/channels.js';
import { Connections } from '../hub/connections.js';
import { StreamContext } from '../hub/stream-context.js';
import { SSE_SETTINGS, type SseSettings } from '../sse.settings.js';
import { Admission } from './admission.js';
import { onceOver } from './closing.js';
import { Exchange } from './exchange.js';
import { Heartbeat } from './heartbeat.js';
import { NestHead, OwnHead } from './response-head.js';
import type { ConnectionServices, ConnectionSettings } from './connection-settings.js';
import { SseConnection } from './sse-connection.js';
import { announceConnection } from './sse-route.js';
import { routeOf, type RouteDescription } from './sse-route.metadata.js';

/**
 * Serves `@Sse()` routes, ours and Nest's. It is the outermost interceptor: what comes out of all
 * others goes to the client, and the method and all others run in the connection's context.
 */
@Injectable()
export class SseInterceptor implements NestInterceptor {
  private readonly services: ConnectionServices;

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    channels: Channels,
    connections: Connections,
    heartbeat: Heartbeat,
    private readonly context: StreamContext,
    private readonly admission: Admission,
    private readonly config: ApplicationConfig,
  ) {
    this.services = { channels, connections, heartbeat };
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const route = context.getType() === 'http' ? routeOf(context) : undefined;
    return route ? new Observable((toNest) => this.#serve(route, context, next, toNest)) : next.handle();
  }

  #serve(
    route: RouteDescription,
    context: ExecutionContext,
    next: CallHandler,
    toNest: Subscriber<unknown>,
  ): (() => void) | undefined {
    const request = context.switchToHttp().getRequest<object>();
    const response = context.switchToHttp().getResponse<object>();
    const exchange = new Exchange(request, response);
    const { settings, isStock } = route;
    const head = isStock
      ? new NestHead(exchange, toNest)
      : new OwnHead(exchange, settings.allowTransform ?? false, toNest);
    if (exchange.isOver) {
      head.release();
      return undefined;
    }
    const turnAway = (): void => {
      this.admission.turnAway(connection);
    };
    const connection = new SseConnection(exchange, head, this.#settingsOf(route, turnAway), this.services);
    if (this.admission.refuses(connection)) return () => connection.close();
    this.admission.admit(connection);
    if (!isStock) {
      const isAlone = this.#isAlone(route);
      if (!isAlone || route.hasCustomParameters) attachSignal(request, exchange);
      announceConnection(response, connection, isAlone);
    }
    this.context.run(connection, () => connection.serve(next.handle()));
    // Of a stock route nothing tells when its method has resolved, and Nest does not wait for it either.
    if (isStock) connection.ready();
    return () => {
      if (!connection.isDirect) connection.close();
    };
  }

  #settingsOf({ isStock, settings }: RouteDescription, turnAway: () => void): ConnectionSettings {
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
      turnAway,
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
