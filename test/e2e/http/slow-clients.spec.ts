import { Controller, Inject, Sse as StockSse } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { map, merge } from 'rxjs';
import type { Observable } from 'rxjs';
import { defineChannel, SseHub, SseModule } from '../../../src/sse/index.js';
import type { SlowPolicy, SseModuleOptions } from '../../../src/sse/index.js';
import type { OpenStreamOptions, TestStream } from '../../../src/sse/testing/index.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route, SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { numberOf, numbers, Publisher, ServerSockets } from './stalled.js';

const routes: Record<string, Route> = {
  direct: (hub) => hub.stream('news'),
  piped: (hub) => hub.stream('news').pipe(map((event) => ({ ...event }))),
  merged: (hub) => merge(hub.stream('news'), hub.stream('other')),
};

@Controller('stock')
class StockController {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @StockSse('direct')
  direct(): Observable<unknown> {
    return this.hub.stream('news');
  }
}

const paths = ['direct', 'piped', 'merged', 'stock/direct'];

interface StartedApp extends SseApp {
  readonly publisher: Publisher;
  readonly sockets: ServerSockets;
}

/** An app whose channel `news` keeps so many events. */
async function start(kept: number, sse: SseModuleOptions = {}, slow?: SlowPolicy): Promise<StartedApp> {
  const history = { count: kept, bytes: Infinity };
  const app = await startSseApp({
    sse: { history, heartbeat: 0, retry: 1, ...sse },
    routes,
    controllers: [StockController],
    ...(slow && { routeOptions: { slow } }),
  });
  return { ...app, publisher: new Publisher(app.hub, 'news'), sockets: new ServerSockets(app) };
}

/** A client that has stopped to read, and whose connection is full. */
async function stalledClient(
  { url, sockets, publisher }: StartedApp,
  path: string,
  options: OpenStreamOptions = {},
): Promise<TestStream> {
  const client = await listen(`${url}/${path}`, options);
  await client.untilId();
  client.pause();
  await publisher.fill(sockets.of(client));
  return client;
}

describe.each(paths)('A client of /%s that does not read', (path) => {
  it('gets everything after all, in order, while the log has it', async () => {
    const started = await start(10_000);
    const client = await stalledClient(started, path);
    await started.publisher.publish(30);
    client.read();
    const events = await client.take(started.publisher.newest);
    expect(events.map(numberOf)).toEqual(numbers(1, started.publisher.newest));
    await started.publisher.publish();
    expect(numberOf(await client.next())).toBe(started.publisher.newest);
  });

  it('costs no memory but its place: what waits for it does not grow', async () => {
    const started = await start(5);
    const client = await stalledClient(started, path);
    const { writableLength } = started.sockets.of(client);
    await started.publisher.publish(50);
    expect(started.sockets.of(client).writableLength).toBe(writableLength);
    expect(writableLength).toBeLessThan(1_000_000);
  });

  it('is told that it lagged, and then gets the rest in order', async () => {
    const started = await start(8);
    const client = await stalledClient(started, path);
    await started.publisher.publish(30);
    const { newest } = started.publisher;
    client.read();
    const events = await client.until(
      ({ type, text }) => type === 'big' && numberOf({ data: text }) === newest,
    );
    const told = events.findIndex(({ type }) => type === 'gap');
    const before = events.slice(0, told).map(numberOf);
    expect(before).toEqual(numbers(1, before.length));
    expect(events.slice(told + 1).map(numberOf)).toEqual(numbers(newest - 7, newest));
    const { oldest, latest, ...gap } = events[told]!.data;
    expect(gap).toMatchObject({ channel: 'news', reason: 'lagged' });
    expect(events[told + 1]!.id).toContain(oldest);
    expect(events.at(-1)!.id).toContain(latest);
  });
});

describe('While one client does not read', () => {
  it('all others get everything at once', async () => {
    const started = await start(5);
    const healthy = await Promise.all(paths.map((path) => listen(`${started.url}/${path}`)));
    await stalledClient(started, 'direct');
    await stalledClient(started, 'piped');
    for (let i = 0; i < 20; i++) {
      await started.publisher.publish();
      const { newest } = started.publisher;
      for (const client of healthy) await client.until((event) => numberOf(event) === newest);
    }
    const expected = numbers(1, started.publisher.newest);
    for (const client of healthy) expect(client.events.map(numberOf)).toEqual(expected);
  });

  it('heartbeats do not pile up for it', async () => {
    const started = await start(5, { heartbeat: 20 });
    const other = await listen(`${started.url}/direct`);
    const client = await stalledClient(started, 'direct');
    const { writableLength } = started.sockets.of(client);
    for (let beats = 0; beats < 4; beats++) await other.untilComment('');
    expect(started.sockets.of(client).writableLength).toBe(writableLength);
  });
});

describe('A client that the log has moved past, where the policy is to disconnect', () => {
  it.each([
    ['the route', 'direct', () => start(8, {}, 'disconnect')],
    ['the route', 'piped', () => start(8, {}, 'disconnect')],
    ['the route', 'merged', () => start(8, {}, 'disconnect')],
    ['the module', 'direct', () => start(8, { slow: 'disconnect' })],
    ['the module', 'stock/direct', () => start(8, { slow: 'disconnect' })],
  ] as const)(
    'is disconnected, comes back, is told and gets the rest (by %s, /%s)',
    async (_by, path, starting) => {
      const started = await starting();
      const client = await stalledClient(started, path, { reconnect: true });
      const socket = started.sockets.of(client);
      await started.publisher.publish(30);
      expect(socket.destroyed).toBe(true);
      expect(started.hub.stats().connections).toBe(0);
      client.read();
      const { newest } = started.publisher;
      const events = await client.until(
        ({ type, text }) => type === 'big' && numberOf({ data: text }) === newest,
      );
      expect(client.connected).toBe(2);
      const told = events.findIndex(({ type }) => type === 'gap');
      expect(events[told]!.data).toMatchObject({ reason: 'evicted' });
      expect(events.slice(told + 1).map(numberOf)).toEqual(numbers(newest - 7, newest));
    },
  );

  it('misses nothing when it comes back before the log has moved on', async () => {
    const started = await start(10_000, {}, 'disconnect');
    const client = await stalledClient(started, 'direct', { reconnect: true });
    await started.publisher.publish(5);
    await started.hub.disconnect({});
    started.sockets.of(client).destroy();
    client.read();
    const { newest } = started.publisher;
    const events = await client.until((event) => numberOf(event) === newest);
    expect(events.map(numberOf)).toEqual(numbers(1, newest));
  });

  it('is one whose channel says so, and not those of other channels', async () => {
    const strict = defineChannel('news', { slow: 'disconnect', history: { count: 8, bytes: Infinity } });
    const app = await startSseApp({
      sse: { heartbeat: 0 },
      routes,
      imports: [SseModule.forFeature([strict])],
    });
    const started: StartedApp = {
      ...app,
      publisher: new Publisher(app.hub, 'news'),
      sockets: new ServerSockets(app),
    };
    const client = await stalledClient(started, 'direct');
    const socket = started.sockets.of(client);
    await started.publisher.publish(30);
    expect(socket.destroyed).toBe(true);
  });

  it('is let off where the route says gap', async () => {
    const started = await start(8, { slow: 'disconnect' }, 'gap');
    const client = await stalledClient(started, 'direct');
    await started.publisher.publish(30);
    client.read();
    const [gap] = (await client.until(({ type }) => type === 'gap')).slice(-1);
    expect(gap!.data).toMatchObject({ reason: 'lagged' });
  });
});
