import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { NEVER, type Observable } from 'rxjs';
import type { SlowPolicy } from '../sse.options.js';
import { SSE_SETTINGS, type SseSettings } from '../sse.settings.js';
import { Streams } from '../streams/streams.js';
import { isThenable } from '../values.js';
import { Admission } from './admission.js';
import { Connections } from './connections.js';
import { Exchange } from './exchange.js';
import { Identification, type Identity } from './identity.js';
import { OwnHead, type ResponseHead } from './response-head.js';
import { streamOf } from './returned.js';
import { abortSignal } from './signal.js';
import { SseConnection } from './sse-connection.js';
import { routeOf, type PlainStream, type RouteDescription } from './sse-route.metadata.js';

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
  /** Whether to compress; undefined where its channels decide. */
  readonly compress: boolean | undefined;
  /** Whether to compress a response without channels. */
  readonly compressAll: boolean;
  /** `stock`: a route of Nest. Events of other sources have the ids there that Nest gives: it numbers those without. */
  readonly route: 'own' | 'stock';
  /** Whether its client takes every event for one of the application's. */
  readonly plain: PlainStream | boolean;
  /** Faults of the route that were logged: once is enough. */
  readonly warned: Set<'shared' | 'wrapped'>;
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
   * Whether our interceptor calls `connect()`, instead of the method's wrapper: on a stock route, where Nest answers; below a
   * decorator, which may return something else; and where other interceptors want to see the result.
   */
  intercepts({ isStock, isWrapped, interceptors }: RouteDescription): boolean {
    if (isStock) return this.settings.stockRoutes === 'serve';
    return isWrapped || this.interceptors.length > 0 || interceptors.length > 0;
  }

  /** Serves a response from its method. @returns resolves when Nest need not wait any more */
  serve(route: ServedRoute, response: object, call: () => unknown): Promise<void> {
    const settled = new Promise<void>((done, fail) => {
      const headOf = (exchange: Exchange): ResponseHead => new OwnHead(exchange, route, { done, fail });
      this.connect(route, response, headOf, (connection) => {
        const serve = (returned: unknown): void => {
          RoutedRequest.forget(response);
          connection.serveDirectly(streamOf(returned, connection, route.name));
        };
        const result = call();
        if (!isThenable(result)) return serve(result);
        Promise.resolve(result)
          .then(serve)
          .catch((error: unknown) => connection.error(error));
      });
    });
    // A wrapper around the method may have failed before, and then nobody waits.
    settled.catch(() => undefined);
    return settled;
  }

  /** The result of a method, as the interceptors are given it. */
  returned(connection: SseConnection, { name }: ServedRoute, returned: unknown): unknown {
    const bound = (result: unknown): Observable<unknown> => {
      const source = streamOf(result, connection, name);
      connection.ready();
      return connection.pipeline.show(source);
    };
    return isThenable(returned) ? Promise.resolve(returned).then(bound) : bound(returned);
  }

  /**
   * Makes the connection of a response, and feeds it if it is let in.
   *
   * @param response as the adapter has it
   * @param feed runs the method of the route, in the context of the connection
   * @returns undefined if it is turned away, or the client has gone already
   */
  connect(
    route: ServedRoute,
    response: object,
    headOf: (exchange: Exchange) => ResponseHead,
    feed: (connection: SseConnection) => void,
  ): SseConnection | undefined {
    const exchange = new Exchange(response);
    const head = headOf(exchange);
    if (exchange.isOver) {
      abortSignal(exchange.adaptedRequest);
      head.release();
      return undefined;
    }
    const { streams, connections, admission } = this;
    const connection = new SseConnection(exchange, head, route.connection, streams, connections, admission);
    if (!admission.admit(connection)) {
      exchange.onceOver(() => connection.over());
      return undefined;
    }
    const routed = RoutedRequest.of(response);
    if (routed) routed.connection = connection;
    admission.begin(connection, () => this.#identify(connection, feed));
    return connection;
  }

  /** Finds out who a connection belongs to, and then feeds it. */
  #identify(connection: SseConnection, feed: (connection: SseConnection) => void): void {
    if (connection.isClosed) return;
    const begin = (identity: Identity | undefined): void => {
      if (connection.isClosed) return;
      connection.identified(identity);
      this.streams.run(connection.reader, () => feed(connection));
    };
    const fail = (error: unknown): void => connection.error(error);
    try {
      const identity = this.identification.of(connection.request);
      if (isThenable(identity)) void identity.then(begin).catch(fail);
      else begin(identity);
    } catch (error) {
      fail(error);
    }
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
      compress: settings.compress,
      compressAll: this.settings.channel.compress,
      route: isStock ? 'stock' : 'own',
      plain: settings.plain ?? false,
      warned: new Set(),
    };
  }
}

/**
 * By the response, as the adapter has it. It is no property of the response: on Express each has a hidden class of its own,
 * which each new property would copy.
 */
const routedRequests = new WeakMap<object, RoutedRequest>();

/** A request that Nest has routed to a method with `@Sse()`. */
export class RoutedRequest {
  /** Its one connection, once it was made: by the interceptor where others apply, otherwise by the method. */
  connection: SseConnection | undefined;

  constructor(
    private readonly server: SseServer,
    readonly route: ServedRoute,
  ) {}

  /** @param response as the adapter has it */
  static note(response: object, routed: RoutedRequest): void {
    routedRequests.set(response, routed);
  }

  /** @param response as the adapter has it */
  static of(response: object): RoutedRequest | undefined {
    return routedRequests.get(response);
  }

  /** The method has returned, and is not called again: saves memory, as the stream may go on for days. */
  static forget(response: object): void {
    routedRequests.delete(response);
  }

  /**
   * @param response as the adapter has it
   * @param call calls the method that the user wrote
   * @returns what Nest is given
   */
  answer(response: object, call: () => unknown): unknown {
    const { connection, route, server } = this;
    if (!connection) return server.serve(route, response, call);
    // It neither begins nor ends: an operator that repeats or retries it would do so for ever.
    return connection.isClosed ? NEVER : server.returned(connection, route, call());
  }
}
