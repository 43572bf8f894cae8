import { Inject, Injectable } from '@nestjs/common';
import { Access } from '../hub/access/access.js';
import { Channels } from '../hub/channels.js';
import { Connections } from '../hub/instances/connections.js';
import { StreamContext } from '../hub/reading/stream-context.js';
import { Subscriptions } from '../hub/instances/subscriptions.js';
import { isThenable } from '../hub/thenable.js';
import { SSE_SETTINGS, type SseSettings } from '../sse.settings.js';
import { Admission } from './admission.js';
import { onceOver } from './closing.js';
import type { ConnectionServices, ConnectionSettings, Returnable } from './connection-settings.js';
import { Exchange } from './exchange.js';
import { Heartbeat } from './heartbeat.js';
import { OwnHead, type ResponseHead } from './response-head.js';
import { AwaitedOutcome } from './route-outcome.js';
import { SseConnection } from './sse-connection.js';
import { adoptRoute, observableOf } from './sse-route.js';
import { routeOf, type RouteDescription } from './sse-route.metadata.js';
import type { Method } from './wrapped-method.js';

/** A route that streams events, and what holds for its responses. */
export interface ServedRoute extends RouteDescription {
  readonly connection: ConnectionSettings;
  /** Whether it is served from its method, without an interceptor. */
  readonly isDirect: boolean;
}

/** A controller of the application, as it was found at the start. */
export interface FoundController {
  readonly controller: object;
  /** Undefined where there is one for each request. */
  readonly instance: object | undefined;
  readonly methods: readonly Method[];
}

/** Makes the connections of this application. */
@Injectable()
export class SseServer {
  readonly #services: ConnectionServices;
  /** By controller and method; undefined for routes that stream no events. */
  readonly #routes = new Map<object, Map<object, ServedRoute | undefined>>();

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    channels: Channels,
    connections: Connections,
    heartbeat: Heartbeat,
    access: Access,
    subscriptions: Subscriptions,
    private readonly context: StreamContext,
    private readonly admission: Admission,
  ) {
    const turnAway = (connection: Returnable): void => {
      admission.turnAway(connection);
    };
    this.#services = { channels, connections, heartbeat, access, subscriptions, turnAway };
  }

  /**
   * Takes on the routes of ours whose results nobody else wants to see. They are served from their methods.
   *
   * @param isIntercepted whether the application has global interceptors of its own
   * @returns whether there are others, which an interceptor must serve
   */
  adopt(controllers: readonly FoundController[], isIntercepted: boolean): boolean {
    let areAllDirect = true;
    for (const { controller, instance, methods } of controllers) {
      for (const method of methods) {
        const description = routeOf(controller, method);
        if (!description) continue;
        const isDirect =
          instance !== undefined &&
          !isIntercepted &&
          !description.isStock &&
          !description.isIntercepted &&
          !description.hasSignal;
        const route = this.#served(description, isDirect);
        this.#remember(controller, method, route);
        if (!isDirect) areAllDirect = false;
        else adoptRoute(instance, method, (response, call) => this.#serveDirectly(route, response, call));
      }
    }
    return !areAllDirect;
  }

  /** The route of a method; undefined if it streams no events. */
  routeOf(controller: object, method: object): ServedRoute | undefined {
    const known = this.#routes.get(controller);
    if (known?.has(method)) return known.get(method);
    const description = routeOf(controller, method);
    const route = description && this.#served(description, false);
    this.#remember(controller, method, route);
    return route;
  }

  /** A connection that is let in; undefined if it is turned away. */
  admit(route: ServedRoute, exchange: Exchange, head: ResponseHead): SseConnection | undefined {
    const connection = new SseConnection(exchange, head, route.connection, this.#services);
    if (this.admission.admits(connection)) return connection;
    onceOver(exchange, () => {
      connection.close();
    });
    return undefined;
  }

  /** Runs the method of a route in the context of its connection, when it is known whose that is. */
  run(connection: SseConnection, task: () => void): void {
    const isKnown = connection.access?.identify() ?? true;
    const run = (is: boolean): void => {
      if (is && !connection.isClosed) this.context.run(connection, task);
    };
    if (typeof isKnown === 'boolean') run(isKnown);
    else void isKnown.then(run);
  }

  #serveDirectly(route: ServedRoute, response: object, call: () => unknown): Promise<void> | undefined {
    const exchange = new Exchange(response);
    if (exchange.isOver) return undefined;
    const outcome = new AwaitedOutcome();
    const { settled } = outcome;
    const head = new OwnHead(exchange, route.settings.allowTransform ?? false, outcome);
    const connection = this.admit(route, exchange, head);
    if (!connection) return settled;
    const serve = (returned: unknown): void => {
      connection.serveDirectly(observableOf(returned));
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

  #remember(controller: object, method: object, route: ServedRoute | undefined): void {
    const routes = this.#routes.get(controller) ?? new Map<object, ServedRoute | undefined>();
    this.#routes.set(controller, routes.set(method, route));
  }

  #served(description: RouteDescription, isDirect: boolean): ServedRoute {
    return { ...description, isDirect, connection: this.#settingsOf(description) };
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
      plain: settings.plain ?? false,
    };
  }
}
