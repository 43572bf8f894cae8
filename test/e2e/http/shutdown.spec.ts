import { Agent, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { Controller, Get, Inject, Injectable, Sse as StockSse } from '@nestjs/common';
import type { OnModuleDestroy } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { NEVER, Subject } from 'rxjs';
import type { Observable } from 'rxjs';
import { Sse, SseHub } from '../../../src/sse/index.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { blocksOf } from '../../support/blocks.js';
import { adapters, type AdapterName } from '../../support/adapters.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { startSseApp } from '../../support/sse-app.js';
import type { SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { LogRecorder } from './log-recorder.js';
import { Publisher, ServerSockets } from './stalled.js';

const released = new Subject<string>();

@Controller()
class Streams {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @Sse('news')
  news(): Observable<unknown> {
    return this.hub.stream('news');
  }

  @Sse('bulk')
  bulk(): Observable<unknown> {
    return this.hub.stream('bulk');
  }

  @Sse('plain')
  plain(): Observable<unknown> {
    return NEVER;
  }

  @StockSse('stock')
  stock(): Observable<unknown> {
    return this.hub.stream('news');
  }

  @StockSse('stock/plain')
  stockPlain(): Observable<unknown> {
    return released;
  }

  @Sse('pending')
  async pending(): Promise<Observable<unknown>> {
    return new Promise(() => undefined);
  }

  @Get('page')
  page(): string {
    return 'ok';
  }
}

const paths = ['news', 'plain', 'stock', 'stock/plain'];
/** Far more than closing ever takes, and less than a test's own limit. */
const GENEROUS = 10_000;

const start = (sse: SseModuleOptions = {}, adapter: AdapterName = 'express'): Promise<SseApp> =>
  startSseApp({ controllers: [Streams], sse, adapter });

/** Milliseconds that closing takes. */
async function closing({ close }: SseApp): Promise<number> {
  const begin = performance.now();
  await close();
  return performance.now() - begin;
}

describe.each(adapters)('app.close(), on %s', (adapter) => {
  it.each(paths)('ends an open stream with a retry (/%s)', async (path) => {
    const app = await start({ retry: 3000, shutdown: { spread: 500 } }, adapter);
    const client = await listen(`${app.url}/${path}`);
    await app.close();
    expect(await client.ended()).toBe('ended');
    expect(blocksOf(client).at(-1)!.raw.trim()).toMatch(/^retry: \d+$/);
    expect(client.retry).toBeGreaterThanOrEqual(3000);
    expect(client.retry).toBeLessThan(3500);
  });

  it('does not wait for the grace time when all clients take their goodbye', async () => {
    const app = await start({ shutdown: { grace: 2 * GENEROUS } }, adapter);
    const clients = await Promise.all(paths.map((path) => listen(`${app.url}/${path}`)));
    expect(await closing(app)).toBeLessThan(GENEROUS);
    for (const client of clients) expect(await client.ended()).toBe('ended');
  });

  it('sends what was published right before it', async () => {
    const app = await start({}, adapter);
    const clients = await Promise.all(['news', 'stock'].map((path) => listen(`${app.url}/${path}`)));
    for (let i = 0; i < 20; i++) void app.hub.publish('news', { data: String(i) });
    void app.close();
    for (const client of clients)
      expect((await client.rest()).map(({ text }) => text)).toEqual(
        Array.from({ length: 20 }, (_, i) => String(i)),
      );
  });

  it('sends what the app publishes when it is told to stop', async () => {
    @Injectable()
    class Farewell implements OnModuleDestroy {
      constructor(@Inject(SseHub) private readonly hub: SseHub) {}

      async onModuleDestroy(): Promise<void> {
        await this.hub.publish('news', { data: 'farewell' });
      }
    }
    const app = await startSseApp({ controllers: [Streams], providers: [Farewell], adapter });
    const clients = await Promise.all(['news', 'stock'].map((path) => listen(`${app.url}/${path}`)));
    await app.close();
    for (const client of clients) expect((await client.rest()).map(({ text }) => text)).toEqual(['farewell']);
  });

  it('returns although clients do not read, after the grace time', async () => {
    const app = await start({ shutdown: { grace: 100 }, limits: { queuedBytes: Infinity } }, adapter);
    const sockets = new ServerSockets(app);
    const stalled = await Promise.all(['news', 'stock'].map((path) => listen(`${app.url}/${path}`)));
    const publisher = new Publisher(app.hub, 'news');
    for (const client of stalled) {
      client.pause();
      await publisher.fill(sockets.of(client));
    }
    expect(await closing(app)).toBeLessThan(GENEROUS);
    expect(sockets.open.size).toBe(0);
  });

  it('returns although connections are kept alive, those too that are idle now', async () => {
    const app = await start({}, adapter);
    const agent = new Agent({ keepAlive: true });
    whenTestEnds(() => agent.destroy());
    const open = (path: string): Promise<IncomingMessage> =>
      once(get(`${app.url}/${path}`, { agent }), 'response').then(
        ([response]) => response as IncomingMessage,
      );
    const [first, second] = await Promise.all([open('page'), open('news')]);
    await app.hub.disconnect({});
    for (const response of [first, second]) await once(response.resume(), 'end');
    const third = await open('stock');
    const ended = once(third.resume(), 'end');
    expect(await closing(app)).toBeLessThan(GENEROUS);
    await ended;
  });

  it('returns although a method is not done, and turns its client away', async () => {
    const app = await start({ retry: 3000 }, adapter);
    const opening = listen(`${app.url}/pending`);
    while (app.hub.stats().connections === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await closing(app)).toBeLessThan(GENEROUS);
    const client = await opening;
    expect([client.status, await client.ended()]).toEqual([200, 'ended']);
    expect(client.retry).toBeGreaterThanOrEqual(3000);
  });

  it('turns new streams away with 200, a retry and the end, while it waits for others', async () => {
    const app = await start({ retry: 3000, shutdown: { grace: 1000 } }, adapter);
    const sockets = new ServerSockets(app);
    const [witness, stalled] = [await listen(`${app.url}/news`), await listen(`${app.url}/news`)];
    stalled.pause();
    await new Publisher(app.hub, 'news').fill(sockets.of(stalled));
    const closed = app.close();
    await witness.ended();
    for (const path of paths) {
      const late = await listen(`${app.url}/${path}`);
      expect([late.status, await late.ended()]).toEqual([200, 'ended']);
      expect(late.retry).toBeGreaterThanOrEqual(3000);
      expect(late.events).toEqual([]);
    }
    await closed;
  });
});

describe('app.close()', () => {
  it('returns with a thousand streams open, and spreads their reconnects', async () => {
    const app = await start({
      retry: 1000,
      shutdown: { spread: 5000, grace: 200 },
      limits: { queuedBytes: Infinity },
    });
    const sockets = new ServerSockets(app);
    const clients: TestStream[] = [];
    while (clients.length < 990) {
      clients.push(
        ...(await Promise.all(Array.from({ length: 45 }, (_, i) => listen(`${app.url}/${paths[i % 4]!}`)))),
      );
    }
    const stalled = await Promise.all(Array.from({ length: 10 }, () => listen(`${app.url}/bulk`)));
    for (const client of stalled) client.pause();
    await new Publisher(app.hub, 'bulk').fill(sockets.of(stalled[0]!));
    expect(app.hub.stats().connections).toBe(1000);
    expect(await closing(app)).toBeLessThan(GENEROUS);
    expect(await Promise.all(clients.map((client) => client.ended()))).toEqual(clients.map(() => 'ended'));
    const retries = clients.map((client) => client.retry!);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(1000);
    expect(Math.max(...retries)).toBeLessThan(6000);
    // Nine hundred of a uniform spread leave no fifth of the window empty.
    for (let from = 1000; from < 6000; from += 1000) {
      expect(retries.filter((retry) => retry >= from && retry < from + 1000).length).toBeGreaterThan(90);
    }
  });

  it('lets clients come back to the next process with their position', async () => {
    const first = await start({ retry: 1, shutdown: { spread: 0 } });
    const client = await listen(`${first.url}/news`, { reconnect: 50 });
    await first.hub.publish('news', { data: 'of the first' });
    await client.next();
    await first.close();
    const second = await startSseApp({ controllers: [Streams], port: first.port });
    await client.untilConnected(2);
    expect(await client.next()).toMatchObject({
      type: 'gap',
      text: expect.stringContaining('"reason":"unknown"'),
    });
    await second.hub.publish('news', { data: 'of the second' });
    expect(await client.next()).toMatchObject({ text: 'of the second' });
  });

  it('logs nothing, and refuses what comes to the hub afterwards', async () => {
    const log = new LogRecorder();
    const app = await startSseApp({ controllers: [Streams], configure: (nest) => nest.useLogger(log) });
    await Promise.all(paths.map((path) => listen(`${app.url}/${path}`)));
    await app.close();
    await expect(app.hub.publish('news', { data: 'x' })).rejects.toMatchObject({ code: 'HUB_CLOSED' });
    expect(app.hub.stats()).toMatchObject({ connections: 0, subscribers: 0, channels: 0 });
    expect(log.entries).toEqual([]);
  });
});
