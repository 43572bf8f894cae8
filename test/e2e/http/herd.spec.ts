import { AsyncLocalStorage } from 'node:async_hooks';
import { Server as HttpsServer } from 'node:https';
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect as connectSecurely } from 'node:tls';
import {
  Controller,
  ForbiddenException,
  Get,
  Inject,
  Query,
  Sse as StockSse,
  SseSignal,
} from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { describe, expect, it } from '@jest/globals';
import type { Observable } from 'rxjs';
import { Sse, SseHub } from '../../../src/sse/index.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { adapters, type AdapterName } from '../../support/adapters.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import type { SseApp } from '../../support/sse-app.js';
import { certificate } from './certificate.js';

/** Milliseconds in which a response begins here: longer than the slice of a turn, so that each turn takes one. */
const LONG = 12;

function spin(): void {
  const until = performance.now() + LONG;
  while (performance.now() < until);
}

const user = new AsyncLocalStorage<string>();

/** What happened, in order: a method was called, or a page asked for. */
let happened: string[];
let whenCalled: (name: string) => void;

@Controller()
class Streams {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @Sse('own')
  own(@Query('name') name: string): Observable<unknown> {
    return this.#stream(name);
  }

  @StockSse('stock')
  stock(@Query('name') name: string): Observable<unknown> {
    return this.#stream(name);
  }

  @Get('page')
  page(): string {
    happened.push('page');
    return 'ok';
  }

  #stream(name: string): Observable<unknown> {
    spin();
    happened.push(name);
    whenCalled(name);
    if (name === 'forbidden') throw new ForbiddenException();
    return this.hub.stream(user.getStore() ?? 'news');
  }
}

async function start(
  sse: SseModuleOptions = {},
  adapter: AdapterName | AbstractHttpAdapter = 'express',
): Promise<SseApp> {
  happened = [];
  whenCalled = () => undefined;
  return startSseApp({
    controllers: [Streams],
    sse,
    adapter,
    configure: (app) =>
      app.use((request: { url: string }, _response: unknown, next: () => void) =>
        user.run(new URL(request.url, 'http://localhost').searchParams.get('user') ?? 'news', next),
      ),
  });
}

/** A client whose request is sent when all others are connected. */
class Client {
  text = '';
  readonly ended: Promise<void>;
  readonly #socket: Socket;

  constructor({ port, server }: SseApp) {
    const to = { port, host: '127.0.0.1', rejectUnauthorized: false };
    this.#socket = server instanceof HttpsServer ? connectSecurely(to) : connect(to);
    this.#socket.setEncoding('utf8').on('data', (text) => (this.text += String(text)));
    this.#socket.on('error', () => undefined);
    this.ended = new Promise((resolve) => this.#socket.on('close', () => resolve()));
    whenTestEnds(() => void this.#socket.destroy());
  }

  ask(path: string): void {
    this.#socket.write(`GET /${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }

  leave(): void {
    this.#socket.destroy();
  }

  async until(text: string): Promise<void> {
    while (!this.text.includes(text)) await nextTurn();
  }
}

/** Clients that are all connected, and then ask at once. */
async function herd(app: SseApp, paths: readonly string[]): Promise<Client[]> {
  let connected = 0;
  app.server.on(app.server instanceof HttpsServer ? 'secureConnection' : 'connection', () => connected++);
  const clients = paths.map(() => new Client(app));
  while (connected < clients.length) await nextTurn();
  paths.forEach((path, i) => clients[i]!.ask(path));
  return clients;
}

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
const pathsOf = (route: string, count: number): string[] =>
  names(count).map((name) => `${route}?name=${name}`);
const OPEN = 'retry: ';

describe.each(adapters)('clients that come at once, on %s', (adapter) => {
  it.each(['own', 'stock'])('begin in the order in which they came (/%s)', async (route) => {
    const app = await start({}, adapter);
    const clients = await herd(app, pathsOf(route, 40));
    for (const client of clients) await client.until(OPEN);
    expect(happened).toEqual(names(40));
    await app.hub.publish('news', { data: 'x' });
    for (const client of clients) await client.until('data: x');
  });

  it.each(['own', 'stock'])('let another request be answered meanwhile (/%s)', async (route) => {
    const app = await start({}, adapter);
    const clients = await herd(app, [...pathsOf(route, 8), 'page']);
    for (const client of clients.slice(0, -1)) await client.until(OPEN);
    await clients.at(-1)!.until('ok');
    expect(happened.indexOf('page')).toBeLessThan(7);
    expect(happened.filter((name) => name !== 'page')).toEqual(names(8));
  });

  it('are not even read while many wait', async () => {
    const app = await start({}, adapter);
    let read = 0;
    app.server.on('request', () => read++);
    const readBefore: Record<string, number> = {};
    whenCalled = (name) => (readBefore[name] = read);
    const clients = await herd(app, pathsOf('own', 60));
    for (const client of clients) await client.until(OPEN);
    expect(readBefore['1']).toBeLessThan(20);
    expect(readBefore['2']).toBeLessThan(40);
    expect(read).toBe(60);
  });

  it('get HTTP errors, those that waited, too', async () => {
    const app = await start({}, adapter);
    const clients = await herd(app, [...pathsOf('own', 4), 'own?name=forbidden']);
    await clients.at(-1)!.until('\r\n\r\n');
    expect(clients.at(-1)!.text).toMatch(/^HTTP\/1\.1 403 /);
    await untilConnections(app.hub, 4);
  });

  it('are called in the context of their requests', async () => {
    const app = await start({}, adapter);
    const clients = await herd(
      app,
      names(5).map((name) => `own?name=${name}&user=${name}`),
    );
    for (const client of clients) await client.until(OPEN);
    const counts = await Promise.all(names(5).map((name) => app.hub.subscriberCount(name)));
    expect(counts).toEqual([1, 1, 1, 1, 1]);
  });
});

describe('a client of a herd', () => {
  it('that leaves while it waits leaves nothing behind', async () => {
    const app = await start();
    const clients = await herd(app, pathsOf('own', 8));
    await clients[0]!.until(OPEN);
    clients[7]!.leave();
    for (const client of clients.slice(0, -1)) await client.until(OPEN);
    await untilConnections(app.hub, 7);
    expect(happened).toEqual(names(7));
    expect(await app.hub.subscriberCount('news')).toBe(7);
  });

  it('counts against the limits in the order in which it came', async () => {
    const app = await start({ limits: { connections: 6 }, retry: 1000, shutdown: { spread: 0 } });
    const clients = await herd(app, pathsOf('own', 9));
    for (const client of clients) await client.until(OPEN);
    expect(happened).toEqual(names(6));
    for (const client of clients.slice(6)) expect(client.text).toContain('\r\n0\r\n\r\n');
    expect(app.hub.stats().connections).toBe(6);
  });

  it.each([
    ...adapters.map((adapter) => [adapter, adapter] as const),
    ['fastify over TLS', new FastifyAdapter({ https: certificate })] as const,
  ])('that waits when the application closes is sent away, and comes back, on %s', async (_name, adapter) => {
    const app = await start({ retry: 3000, shutdown: { spread: 0 } }, adapter);
    let closed: Promise<void> | undefined;
    const clients = herd(app, pathsOf('own', 200));
    // By then most are held.
    whenCalled = (name) => {
      if (name === '3') closed = app.close();
    };
    for (const client of await clients) {
      await client.ended;
      expect(client.text).toMatch(/^HTTP\/1\.1 200 [^]*\nretry: 3000\n\n\r\n0\r\n\r\n$/);
    }
    await closed;
    expect(happened.length).toBeLessThan(200);
    expect(app.hub.stats().connections).toBe(0);
  });

  it('may be disconnected while it waits', async () => {
    const app = await start();
    whenCalled = (name) => name === '2' && void app.hub.disconnect({});
    const clients = await herd(app, pathsOf('own', 5));
    await clients[0]!.until('\r\n0\r\n\r\n');
    for (const client of clients) await client.until(OPEN);
  });
});

describe('the end of an application with many streams', () => {
  it('lets another request be answered meanwhile', async () => {
    const ended: string[] = [];
    const others: Client[] = [];
    @Controller()
    class Ending {
      constructor(@Inject(SseHub) private readonly hub: SseHub) {}

      @Sse('stream')
      stream(@SseSignal() signal: AbortSignal): Observable<unknown> {
        signal.addEventListener('abort', () => {
          if (ended.length === 1) others[0]!.ask('page');
          spin();
          ended.push('stream');
        });
        return this.hub.stream('news');
      }

      @Get('page')
      page(): string {
        ended.push('page');
        return 'ok';
      }
    }
    const app = await startSseApp({ controllers: [Ending] });
    const clients = await herd(
      app,
      Array.from({ length: 40 }, () => 'stream'),
    );
    for (const client of clients) await client.until(OPEN);
    others.push(...(await herd(app, ['page'])));
    await others[0]!.until('ok');
    await app.close();
    expect(ended).toHaveLength(42);
    expect(ended.lastIndexOf('page')).toBeLessThan(40);
    expect(ended.lastIndexOf('page')).toBeGreaterThan(1);
  });
});
