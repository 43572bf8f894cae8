import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { Observable } from 'rxjs';
import type { SlowPolicy } from '../sse.options.js';
import { SSE_SETTINGS, type SseSettings } from '../sse.settings.js';
import { Streams } from '../streams/streams.js';
import { isThenable } from '../values.js';
import { Admission } from './admission.js';
import { Connections } from './connections.js';
import { Exchange } from './exchange.js';
import { Identification, type Identity } from './identity.js';
import { AwaitedOutcome, OwnHead, type ResponseHead } from './response-head.js';
import { streamOf } from './returned.js';
import { abortSignal } from './signal.js';
import { SseConnection } from './sse-connection.js';
import { routeOf, type PlainStream, type RouteDescription } from './sse-route.metadata.js';
import type { RoutedRequest } from './sse-route.js';

/** Settings of the responses of one route. */
export interface ConnectionSettings {
  readonly heartbeat: number;
  readonly retry: number;
  readonly queuedBytes: number;
  /** Milliseconds in which events are gathered for one write. */
  readonly coalesce: number;
  /** Milliseconds that a client has to take the last bytes when its stream is ended. */
  readonly grace: number;
  readonly slow: SlowPolicy | undefined;
  /** Without streams of the hub a stock route is as Nest has it, which numbers events that have no id. */
  readonly route: 'own' | 'stock';
  /** Whether its client takes every event for one of the application's. */
  readonly plain: PlainStream | boolean;
  /** Faults of the route that were logged: once is enough. */
  readonly told: Set<'shared' | 'wrapped'>;
}

/** A route that streams events, and the settings of its responses. */
export interface ServedRoute extends RouteDescription {
  readonly connection: ConnectionSettings;
}

/** The server of each application. */
const servers = new WeakMap<ModulesContainer, SseServer>();

/** Makes the connections of this application: from a routed request to a connection that is fed. */
@Injectable()
export class SseServer {
  /** Global interceptors of the application, which see what every route gives. */
  interceptors: readonly object[] = [];
  /** By class and method. The class counts, as a method may be inherited and interceptors are not. */
  readonly #routes = new WeakMap<object, WeakMap<object, ServedRoute>>();

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    modules: ModulesContainer,
    private readonly streams: Streams,
    private readonly connections: Connections,
    private readonly admission: Admission,
    private readonly identification: Identification,
  ) {
    servers.set(modules, this);
  }

  /** The server of an application; undefined without `SseModule.forRoot()`. */
  static of(modules: ModulesContainer): SseServer | undefined {
    return servers.get(modules);
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
    const { streams, connections, admission } = this;
    const connection = new SseConnection(exchange, head, route.connection, streams, connections, admission);
    if (admission.admits(connection)) return connection;
    exchange.onceOver(() => {
      connection.left();
    });
    return undefined;
  }

  /** Runs the method of a route in the context of its connection, when it is known who that belongs to. */
  run(connection: SseConnection, method: () => void): void {
    const begin = (identity: Identity | undefined): void => {
      if (connection.isClosed) return;
      connection.identified(identity);
      this.streams.run(connection.reader, method);
    };
    const fail = (error: unknown): void => {
      connection.error(error);
    };
    try {
      const identity = this.identification.of(connection.request);
      if (isThenable(identity)) void identity.then(begin).catch(fail);
      else begin(identity);
    } catch (error) {
      fail(error);
    }
  }

  /** The result of a method, as the interceptors are given it. */
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
    this.run(connection, () => {
      const result = call();
      if (isThenable(result))
        Promise.resolve(result)
          .then(serve)
          .catch((error: unknown) => {
            connection.error(error);
          });
      else serve(result);
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
      route: isStock ? 'stock' : 'own',
      plain: settings.plain ?? false,
      told: new Set(),
    };
  }
}
