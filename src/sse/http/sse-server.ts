import { Inject, Injectable, type ExecutionContext } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { NEVER, type Observable } from 'rxjs';
import { Access } from '../access/access.js';
import { Channels } from '../channels/channels.js';
import { Connections } from './connections.js';
import { Streams } from '../streams/streams.js';
import { StreamObservers } from './stream-observer.js';
import { isThenable } from '../values.js';
import { SSE_SETTINGS, type SseSettings } from '../sse.settings.js';
import { Admission } from './admission.js';
import type { ConnectionServices, ConnectionSettings } from './connection-settings.js';
import { Exchange } from './exchange.js';
import { Heartbeat } from './heartbeat.js';
import { OwnHead, type ResponseHead } from './response-head.js';
import { streamOf } from './returned.js';
import { noteRouted, type Routed } from './routed.js';
import { AwaitedOutcome } from './route-outcome.js';
import { abortSignal, offerSignal } from './signal.js';
import { SseConnection } from './sse-connection.js';
import { routeOf, type RouteDescription } from './sse-route.metadata.js';

/** A route that streams events, and what holds for its responses. */
export interface ServedRoute extends RouteDescription {
  readonly connection: ConnectionSettings;
}

/** The server of each application. */
const servers = new WeakMap<ModulesContainer, SseServer>();

/** Makes the connections of this application. */
@Injectable()
export class SseServer {
  readonly #services: ConnectionServices;
  /** Global interceptors of the application, which see what every route gives. */
  interceptors: readonly object[] = [];
  /** By class and method. The class counts, as a method may be inherited and interceptors are not. */
  readonly #routes = new WeakMap<object, WeakMap<object, ServedRoute>>();

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    modules: ModulesContainer,
    channels: Channels,
    connections: Connections,
    heartbeat: Heartbeat,
    access: Access,
    observers: StreamObservers,
    private readonly streams: Streams,
    private readonly admission: Admission,
  ) {
    this.#services = { channels, streams, connections, heartbeat, access, observers, admission };
    servers.set(modules, this);
  }

  /** The server of an application; undefined without `SseModule.forRoot()`. */
  static of(modules: ModulesContainer): SseServer | undefined {
    return servers.get(modules);
  }

  /** Notes that Nest has routed a request to a method with `@Sse()`. */
  note(context: ExecutionContext): void {
    const http = context.switchToHttp();
    const route = this.routeOf(context.getClass(), context.getHandler());
    if (!route || route.isStock) return;
    offerSignal(http.getRequest<object>());
    noteRouted(http.getResponse<object>(), new RoutedRequest(this, route));
  }

  /** The route of a method; undefined if it streams no events. */
  routeOf(controller: object, method: object): ServedRoute | undefined {
    const known = this.#routes.get(controller)?.get(method);
    if (known) return known;
    const description = routeOf(controller, method);
    if (!description) return undefined;
    const route = { ...description, connection: this.#settingsOf(description) };
    const routes = this.#routes.get(controller) ?? new WeakMap<object, ServedRoute>();
    this.#routes.set(controller, routes.set(method, route));
    return route;
  }

  /**
   * Whether the interceptor serves a route: others want to see what the method returns, or a decorator around it may
   * return something else, or Nest answers.
   */
  intercepts({ isStock, isWrapped, interceptors }: RouteDescription): boolean {
    if (isStock) return this.settings.stockRoutes === 'serve';
    return isWrapped || this.interceptors.length > 0 || interceptors.length > 0;
  }

  /** A connection that is let in; undefined if it is turned away. */
  admit(route: ServedRoute, exchange: Exchange, head: ResponseHead): SseConnection | undefined {
    const connection = new SseConnection(exchange, head, route.connection, this.#services);
    if (this.admission.admits(connection)) return connection;
    exchange.onceOver(() => {
      connection.left();
    });
    return undefined;
  }

  /** Runs the method of a route in the context of its connection, when it is known whose that is. */
  run(connection: SseConnection, task: () => void): void {
    const isKnown = connection.access?.identify() ?? true;
    const run = (is: boolean): void => {
      if (is && !connection.isClosed) this.streams.run(connection.reader, task);
    };
    if (typeof isKnown === 'boolean') run(isKnown);
    else void isKnown.then(run);
  }

  /** What the interceptors are given, who see what a method has returned. */
  returned(connection: SseConnection, { name }: ServedRoute, returned: unknown): unknown {
    const own = (result: unknown): Observable<unknown> => {
      const source = streamOf(result, connection, name);
      connection.ready();
      return connection.pipeline.show(source);
    };
    return isThenable(returned) ? Promise.resolve(returned).then(own) : own(returned);
  }

  /** Serves a response from its method. Nest waits until that has done its work. */
  serve(routed: RoutedRequest, response: object, call: () => unknown): Promise<void> | undefined {
    const exchange = new Exchange(response);
    if (exchange.isOver) {
      abortSignal(exchange.adaptedRequest);
      return undefined;
    }
    const { route } = routed;
    const outcome = new AwaitedOutcome();
    const { settled } = outcome;
    const connection = this.admit(route, exchange, new OwnHead(exchange, route, outcome));
    if (!connection) return settled;
    routed.connection = connection;
    const serve = (returned: unknown): void => {
      connection.serveDirectly(streamOf(returned, connection, route.name));
    };
    const fail = (error: unknown): void => {
      connection.error(error);
    };
    this.run(connection, () => {
      try {
        const result = call();
        if (isThenable(result)) Promise.resolve(result).then(serve).catch(fail);
        else serve(result);
      } catch (error) {
        fail(error);
      }
    });
    return settled;
  }

  #settingsOf({ isStock, settings }: RouteDescription): ConnectionSettings {
    const { heartbeat, retry, limits, shutdown } = this.settings;
    return {
      heartbeat: settings.heartbeat ?? heartbeat,
      retry,
      queuedBytes: settings.queuedBytes ?? limits.queuedBytes,
      coalesce: settings.coalesce ?? 0,
      grace: shutdown.grace,
      slow: settings.slow,
      numbered: isStock,
      plain: settings.plain ?? false,
    };
  }
}

class RoutedRequest implements Routed {
  connection: SseConnection | undefined;

  constructor(
    private readonly server: SseServer,
    readonly route: ServedRoute,
  ) {}

  answer(response: object, call: () => unknown): unknown {
    const { connection, route, server } = this;
    if (!connection) return server.serve(this, response, call);
    // It neither begins nor ends: who repeats or retries it would do so for ever.
    return connection.isClosed ? NEVER : server.returned(connection, route, call());
  }
}
