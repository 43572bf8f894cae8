import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Inject, Req } from '@nestjs/common';
import type { INestApplication, ModuleMetadata, Type } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import type { Observable } from 'rxjs';
import { Sse, SseHub, SseModule } from '../../src/sse/index.js';
import type { SseRouteOptions } from '../../src/sse/index.js';
import { makeAdapter, type AdapterName } from './adapters.js';
import { whenTestEnds } from './clean-up.js';
import { eventually } from './eventually.js';

/** The parts of a request that routes of tests look at; both adapters have them. */
export interface RouteRequest {
  readonly query: Readonly<Record<string, string>>;
  readonly params: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  readonly url: string;
}

/** What an `@Sse()` method does, without the class around it. */
export type Route = (
  hub: SseHub,
  request: RouteRequest,
) => Observable<unknown> | Promise<Observable<unknown>>;

export interface SseAppOptions {
  /** `@Sse()` methods by their path: `{ events: (hub) => hub.stream('news') }`. */
  readonly routes?: Readonly<Record<string, Route>>;
  /** Options of the routes above. */
  readonly routeOptions?: SseRouteOptions;
  readonly controllers?: Type[];
  readonly providers?: NonNullable<ModuleMetadata['providers']>;
  /** Further modules. */
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  /** What `SseModule.forRoot()` is given; `false` where the test imports the module itself, or not at all. */
  readonly sse?: Parameters<typeof SseModule.forRoot>[0] | false;
  /** Express by default; an adapter of the test's own where it needs options. */
  readonly adapter?: AdapterName | AbstractHttpAdapter;
  /** A port that was used before, to start an app anew where its clients look for it. */
  readonly port?: number;
  /** Called before the app listens, as `main.ts` would do it: middleware, global pipes … */
  readonly configure?: (app: INestApplication) => unknown;
}

export interface SseApp {
  readonly app: INestApplication;
  /** Only where the module is imported. */
  readonly hub: SseHub;
  readonly server: Server;
  readonly port: number;
  /** Where it listens, without a slash at the end. */
  readonly url: string;
  /** Closes the app; once is enough, and it happens by itself when the test ends. */
  readonly close: () => Promise<void>;
}

/**
 * Boots a Nest app with `SseModule` on a free port of this machine. It is closed when the test that
 * started it ends, so start one in each test, not in `beforeAll`.
 */
export async function startSseApp(options: SseAppOptions = {}): Promise<SseApp> {
  const { routes, sse = {}, controllers = [], imports = [], providers = [] } = options;
  const module = await Test.createTestingModule({
    imports: [...(sse === false ? [] : [SseModule.forRoot(sse)]), ...imports],
    controllers: [...(routes ? [controllerOf(routes, options.routeOptions)] : []), ...controllers],
    providers,
  }).compile();
  const app = module.createNestApplication(await adapterOf(options.adapter), {
    logger: false,
    forceCloseConnections: false,
  });
  await options.configure?.(app);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= app.close());
  whenTestEnds(close);
  await app.listen(options.port ?? 0, '127.0.0.1');
  const server = app.getHttpServer() as Server;
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return { app, server, port, url, close, hub: sse === false ? hubOf(app) : app.get(SseHub) };
}

/** The hub of an app that imports the module by itself; what uses it where there is none fails by that. */
function hubOf(app: INestApplication): SseHub {
  try {
    return app.get(SseHub, { strict: false });
  } catch {
    return undefined as never;
  }
}

async function adapterOf(
  adapter: AdapterName | AbstractHttpAdapter = 'express',
): Promise<AbstractHttpAdapter> {
  return typeof adapter === 'string' ? makeAdapter(adapter) : adapter;
}

/** A controller whose `@Sse()` methods are these functions. */
export function controllerOf(routes: Readonly<Record<string, Route>>, options?: SseRouteOptions): Type {
  @Controller()
  class RoutesController {
    constructor(@Inject(SseHub) readonly hub: SseHub) {}
  }
  const { prototype } = RoutesController;
  for (const [path, route] of Object.entries(routes)) {
    const method = function (this: RoutesController, request: RouteRequest): ReturnType<Route> {
      return route(this.hub, request);
    };
    const described: PropertyDescriptor = { value: method, writable: true, configurable: true };
    Object.defineProperty(prototype, path, described);
    Req()(prototype, path, 0);
    Sse(path, options)(prototype, path, described);
    Object.defineProperty(prototype, path, described);
  }
  return RoutesController;
}

/** Waits until as many connections are open as the test expects: a client that left is noticed a moment later. */
export async function untilConnections(hub: SseHub, count: number): Promise<void> {
  await eventually(() => hub.stats().connections === count);
}

/** Waits until as many streams read the channel. */
export async function untilSubscribers(hub: SseHub, channel: string, count: number): Promise<void> {
  await eventually(async () => (await hub.subscriberCount(channel)) === count);
}
