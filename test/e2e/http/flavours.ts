import { Controller, Sse as StockSse } from '@nestjs/common';
import type { RequestMethod, Type } from '@nestjs/common';
import { Sse as OwnSse } from '../../../src/sse/index.js';
import { adapters, type AdapterName } from '../../support/adapters.js';
import { startSseApp } from '../../support/sse-app.js';
import type { SseApp, SseAppOptions } from '../../support/sse-app.js';
import { SseClient } from '../../support/sse-client.js';
import type { SseClientOptions } from '../../support/sse-client.js';

export type SseDecorator = (path?: string, options?: { method?: RequestMethod }) => MethodDecorator;

/** One way to serve a stream: whose decorator, with the module or without, on which adapter. */
export interface Flavour {
  readonly name: string;
  readonly Sse: SseDecorator;
  readonly isOurs: boolean;
  readonly hasModule: boolean;
  readonly adapter: AdapterName;
}

const decorators: readonly Omit<Flavour, 'adapter'>[] = [
  { name: 'stock @Sse() without the module', Sse: StockSse, isOurs: false, hasModule: false },
  { name: 'stock @Sse() with the module', Sse: StockSse, isOurs: false, hasModule: true },
  { name: '@Sse() of this package', Sse: OwnSse, isOurs: true, hasModule: true },
];

/** For behaviours in which an adapter has a hand: heads, bodies, guards, exception filters, the end of a socket. */
export const flavoursOnEachAdapter: readonly Flavour[] = decorators.flatMap((decorator) =>
  adapters.map((adapter) => ({ ...decorator, name: `${decorator.name}, on ${adapter}`, adapter })),
);

/** For all other behaviours. */
export const flavours: readonly Flavour[] = decorators.map((decorator) => ({
  ...decorator,
  adapter: 'express',
}));

export type Served = Omit<SseAppOptions, 'sse' | 'adapter' | 'routes'>;

/** Starts an app that has the module only if the flavour says so. */
export function startFlavour({ hasModule, adapter }: Flavour, options: Served): Promise<SseApp> {
  return startSseApp({ ...options, adapter, sse: hasModule ? {} : false });
}

/** A controller whose `GET /events` is this function, with further decorators below `@Sse()`. */
export function streaming(
  { Sse }: Flavour,
  method: () => unknown,
  decorate: (MethodDecorator | ClassDecorator)[] = [],
): Type {
  class StreamController {
    events(): unknown {
      return method();
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(StreamController.prototype, 'events')!;
  for (const decorator of [...decorate, Sse('events')]) {
    (decorator as MethodDecorator)(StreamController.prototype, 'events', descriptor);
  }
  Object.defineProperty(StreamController.prototype, 'events', descriptor);
  Controller()(StreamController);
  return StreamController;
}

/** Starts an app that streams what the method returns, and opens the stream. */
export async function openStream(
  flavour: Flavour,
  method: () => unknown,
  { decorate, client, ...served }: Served & { decorate?: MethodDecorator[]; client?: SseClientOptions } = {},
): Promise<SseClient> {
  const controllers = [streaming(flavour, method, decorate), ...(served.controllers ?? [])];
  const { url } = await startFlavour(flavour, { ...served, controllers });
  return SseClient.open(`${url}/events`, client);
}

/** The data of all events that come until the stream ends. */
export async function allData(client: SseClient): Promise<string[]> {
  return (await client.rest()).map(({ data }) => data);
}
