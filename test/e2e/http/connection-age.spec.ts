import { Controller, Inject, Sse as StockSse } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import { SseHub } from '../../../src/sse/index.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { blocksOf } from '../../support/blocks.js';
import { adapters } from '../../support/adapters.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import type { Route, SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Publisher, ServerSockets } from './stalled.js';

@Controller()
class StockController {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @StockSse('stock')
  stock(): unknown {
    return this.hub.stream('news');
  }
}

/** Longer than any test, and like no other timer. */
const LONG = 7_654_321;

const routes: Record<string, Route> = { events: (hub) => hub.stream('news') };

/** The timers that end streams when they are of age. */
class Ages {
  readonly #set = jest.spyOn(globalThis, 'setTimeout');

  constructor() {
    whenTestEnds(() => this.#set.mockRestore());
  }

  get milliseconds(): number[] {
    return this.#all.map(({ milliseconds }) => milliseconds);
  }

  get timers(): unknown[] {
    return this.#all.map(({ timer }) => timer);
  }

  /** The time has passed. */
  pass(): void {
    for (const { end } of this.#all) end();
  }

  get #all(): { readonly end: () => void; readonly milliseconds: number; readonly timer: unknown }[] {
    const { calls, results } = this.#set.mock;
    return calls
      .map(([end, milliseconds = 0], i) => ({ end, milliseconds, timer: results[i]!.value }))
      .filter(({ milliseconds }) => milliseconds >= LONG / 2);
  }
}

describe.each(adapters)('limits.connectionAge, on %s', (adapter) => {
  const start = (sse: SseModuleOptions): Promise<SseApp> =>
    startSseApp({ routes, sse, adapter, controllers: [StockController] });

  it.each(['events', 'stock'])(
    'ends a stream in the second half of that time, with a retry as the last (/%s)',
    async (path) => {
      const { url, hub } = await start({ retry: 1_234, limits: { connectionAge: 400 } });
      const begin = performance.now();
      const client = await listen(`${url}/${path}`);
      expect([client.status, await client.ended()]).toEqual([200, 'ended']);
      expect(performance.now() - begin).toBeGreaterThanOrEqual(200);
      expect(blocksOf(client).at(-1)).toMatchObject({ retry: 1_234 });
      expect(blocksOf(client).length).toBeGreaterThan(1);
      await untilConnections(hub, 0);
    },
  );

  it.each(['events', 'stock'])(
    'lets a client come back and resume, without a gap and with nothing twice (/%s)',
    async (path) => {
      const { url, hub } = await start({ retry: 10, limits: { connectionAge: 100 } });
      const client = await listen(`${url}/${path}`, { reconnect: true });
      for (let i = 0; i < 20; i++) {
        await hub.publish('news', { data: String(i) });
        if (i % 4 === 3) await client.untilConnected(2 + (i - 3) / 4);
      }
      const events = await client.take(20);
      expect(events.map(({ text }) => text)).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
      expect(client.connected).toBeGreaterThanOrEqual(6);
    },
  );

  // No adapter has a hand in what follows.
  if (adapter !== 'express') return;

  it('does not end those together that have come together', async () => {
    const ages = new Ages();
    const { url } = await start({ limits: { connectionAge: LONG } });
    await Promise.all(Array.from({ length: 20 }, () => listen(`${url}/events`)));
    const times = ages.milliseconds.toSorted((a, b) => a - b);
    expect(new Set(times).size).toBe(20);
    expect(times.at(-1)).toBeLessThanOrEqual(LONG);
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(LONG / 10);
  });

  it('is off where nobody says it', async () => {
    const ages = new Ages();
    const { url } = await start({});
    await listen(`${url}/events`);
    expect(ages.milliseconds).toEqual([]);
  });

  it.each(['has taken all', 'has much left to take'])(
    'gives the place of a client back whose network is gone, if it %s',
    async (what) => {
      const ages = new Ages();
      const app = await start({
        replay: 1,
        retry: 10,
        shutdown: { grace: 20, spread: 0 },
        limits: { connectionsPerKey: 1, connectionAge: LONG },
      });
      const [sockets, proxy] = [new ServerSockets(app), await TcpProxy.to(app.port)];
      whenTestEnds(() => proxy.close());
      const publisher = new Publisher(app.hub, 'news');
      await listen(`http://127.0.0.1:${proxy.port}/events`);
      proxy.cut();
      const [gone] = sockets.open;
      if (what === 'has taken all') await publisher.publish();
      else await publisher.fill(gone!);
      const next = await listen(`${app.url}/events`, { reconnect: true });
      expect(app.hub.stats().connections).toBe(1);
      ages.pass();
      expect(await next.next()).toMatchObject({ type: 'big', id: publisher.id });
      expect(app.hub.stats().connections).toBe(1);
    },
  );

  it('leaves no timer behind when a client goes', async () => {
    const ages = new Ages();
    const cleared = jest.spyOn(globalThis, 'clearTimeout');
    whenTestEnds(() => cleared.mockRestore());
    const { url, hub } = await start({ limits: { connectionAge: LONG } });
    const client = await listen(`${url}/events`);
    client.drop('fin');
    await untilConnections(hub, 0);
    const [timer] = ages.timers;
    expect(cleared.mock.calls.map(([given]) => given)).toContain(timer);
  });
});
