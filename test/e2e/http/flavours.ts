import { Controller, Sse as StockSse } from '@nestjs/common';
import type { RequestMethod, Type } from '@nestjs/common';
import { Sse as OwnSse } from '../../../src/sse/index.js';
import type { OpenStreamOptions, TestStream } from '../../../src/sse/testing/index.js';
import { adapters, type AdapterName } from '../../support/adapters.js';
import { startSseApp } from '../../support/sse-app.js';
import type { SseApp, SseAppOptions } from '../../support/sse-app.js';
import { answerTo, listen, type Answer } from '../../support/open-stream.js';

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

type Asked = Served & { decorate?: MethodDecorator[]; client?: OpenStreamOptions };

async function serve(
  flavour: Flavour,
  method: () => unknown,
  { decorate, client: _client, ...served }: Asked,
): Promise<string> {
  const controllers = [streaming(flavour, method, decorate), ...(served.controllers ?? [])];
  const { url } = await startFlavour(flavour, { ...served, controllers });
  return `${url}/events`;
}

/** Starts an app that streams what the method returns, and opens the stream. */
export async function openStream(
  flavour: Flavour,
  method: () => unknown,
  asked: Asked = {},
): Promise<TestStream> {
  return listen(await serve(flavour, method, asked), asked.client);
}

/** The same where the answer may be no stream. */
export async function answerOf(flavour: Flavour, method: () => unknown, asked: Asked = {}): Promise<Answer> {
  return answerTo(await serve(flavour, method, asked), asked.client);
}

/** The data of all events that come until the stream ends. */
export async function allData(client: TestStream): Promise<string[]> {
  return (await client.rest()).map(({ text }) => text);
}
