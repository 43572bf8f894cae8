import { Controller, Sse as StockSse } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { from, merge, mergeMap, NEVER } from 'rxjs';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { defineChannel, SseError, SseModule } from '../../../src/sse/index.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { adapters, type AdapterName } from '../../support/adapters.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import type { Route, SseApp } from '../../support/sse-app.js';
import { TestStream } from '../../../src/sse/testing/index.js';
import { answerTo, listen } from '../../support/open-stream.js';

@Controller()
class StockController {
  @StockSse('stock')
  stock(): unknown {
    return NEVER;
  }
}

const routes: Record<string, Route> = {
  events: (hub, { query }) => hub.stream((query['channels'] ?? 'news').split(',')),
  merged: (hub, { query }) => merge(...query['channels']!.split(',').map((name) => hub.stream(name))),
  late: (hub, { query }) =>
    hub
      .stream('first')
      .pipe(mergeMap(() => from(query['channels']!.split(',')).pipe(mergeMap((name) => hub.stream(name))))),
};

const start = (sse: SseModuleOptions, adapter: AdapterName = 'express'): Promise<SseApp> =>
  startSseApp({ routes, sse, adapter, controllers: [StockController] });

describe.each(adapters)('limits.connections, on %s', (adapter) => {
  it.each(['events', 'stock'])(
    'answers one too many with 200, a retry and the end, so that an EventSource comes back (/%s)',
    async (path) => {
      const app = await start(
        { limits: { connections: 2 }, retry: 1000, shutdown: { spread: 500 } },
        adapter,
      );
      const open = [await listen(`${app.url}/events`), await listen(`${app.url}/stock`)];
      const retries = new Set<number | undefined>();
      for (let i = 0; i < 8; i++) {
        const late = await listen(`${app.url}/${path}`);
        expect([late.status, late.headers['content-type'], await late.ended()]).toEqual([
          200,
          'text/event-stream',
          'ended',
        ]);
        retries.add(late.retry);
      }
      expect(retries.size).toBeGreaterThan(1);
      for (const retry of retries) expect(retry).toBeGreaterThanOrEqual(1000);
      for (const retry of retries) expect(retry).toBeLessThan(1500);
      await app.hub.publish('news', { data: 'x' });
      expect(await open[0]!.next()).toMatchObject({ text: 'x' });
    },
  );

  it.each(['events', 'stock'])(
    'answers one too many with 503 and Retry-After, when told to refuse (/%s)',
    async (path) => {
      const app = await start({ limits: { connections: 1 }, whenFull: 'refuse' }, adapter);
      await listen(`${app.url}/events`);
      const late = await answerTo(`${app.url}/${path}`);
      expect([late.status, late.body.statusCode]).toEqual([503, 503]);
      expect(Number(late.headers['retry-after'])).toBeGreaterThanOrEqual(2);
    },
  );

  it('takes the next one in when one has left, and does not count those it turned away', async () => {
    const app = await start({ limits: { connections: 1 } }, adapter);
    const first = await listen(`${app.url}/events`);
    await (await listen(`${app.url}/events`)).ended();
    expect(app.hub.stats().connections).toBe(1);
    first.drop('fin');
    await untilConnections(app.hub, 0);
    const next = await listen(`${app.url}/events`);
    await app.hub.publish('news', { data: 'x' });
    expect(await next.next()).toMatchObject({ text: 'x' });
  });

  it('keeps the position of a client that it turns away', async () => {
    const app = await start({ limits: { connections: 1 }, retry: 1, shutdown: { spread: 0 } }, adapter);
    const first = await listen(`${app.url}/events`);
    const id = await app.hub.publish('news', { data: 'seen' });
    const late = await listen(`${app.url}/events`, { lastEventId: id, reconnect: true });
    await app.hub.publish('news', { data: 'missed' });
    first.drop('fin');
    expect(await late.next()).toMatchObject({ text: 'missed' });
  });
});

describe('limits.channelsPerConnection', () => {
  it.each(['events', 'merged'])(
    'answers a stream of more channels with 500 before it begins (/%s)',
    async (path) => {
      const app = await start({ limits: { channelsPerConnection: 3 } });
      expect((await answerTo(`${app.url}/${path}?channels=a,b,c`)).status).toBe(200);
      expect((await answerTo(`${app.url}/${path}?channels=a,b,c,d`)).status).toBe(500);
      await untilConnections(app.hub, 1);
      expect(app.hub.stats().subscribers).toBe(3);
    },
  );

  it('ends a stream that comes to more channels later with an error event', async () => {
    const app = await start({ limits: { channelsPerConnection: 2 } });
    const modest = await listen(`${app.url}/late?channels=a`);
    const greedy = await listen(`${app.url}/late?channels=a,b`);
    await app.hub.publish('first', { data: 'go' });
    expect(await greedy.rest()).toMatchObject([{ type: 'error', text: 'Internal server error' }]);
    await app.hub.publish('a', { data: 'x' });
    expect(await modest.next()).toMatchObject({ text: 'x' });
  });

  it('counts a channel once, however often it is streamed', async () => {
    const app = await start({ limits: { channelsPerConnection: 1 } });
    const client = await answerTo(`${app.url}/merged?channels=a,a,a`);
    expect(client.status).toBe(200);
  });
});

describe('Other limits', () => {
  it('refuse an event of more than maxEventBytes, and let one of as many through', async () => {
    const app = await start({ maxEventBytes: 100 });
    const client = await listen(`${app.url}/events`);
    const most = 100 - 'data: \n\n'.length;
    await expect(app.hub.publish('news', { data: 'x'.repeat(most + 1) })).rejects.toMatchObject({
      code: 'EVENT_TOO_LARGE',
    });
    await expect(app.hub.publish('news', { data: 'ü'.repeat(most) })).rejects.toMatchObject({
      code: 'EVENT_TOO_LARGE',
    });
    await app.hub.publish('news', { data: 'x'.repeat(most) });
    expect((await client.next()).text).toHaveLength(most);
  });

  it.each([
    ['200, a retry and the end', 200, {}],
    ['503, when told to refuse', 503, { whenFull: 'refuse' }],
  ] as const)(
    'answer a stream of one channel more than limits.channels with %s',
    async (_what, status, options) => {
      const app = await start({ limits: { channels: 2 }, ...options });
      const open = await listen(`${app.url}/events?channels=a,b`);
      const late = await answerTo(`${app.url}/events?channels=c`);
      expect(late.status).toBe(status);
      if (late instanceof TestStream) {
        expect(await late.ended()).toBe('ended');
        expect(late.retry).toBeDefined();
      }
      await app.hub.publish('a', { data: 'x' });
      expect(await open.next()).toMatchObject({ text: 'x' });
      expect(app.hub.stats()).toMatchObject({ channels: 2, connections: 1 });
    },
  );

  it.each(['BACKPLANE_AWAY', 'HUB_FULL'] as const)(
    'are not named to a client that is refused for another reason: %s',
    async (code) => {
      class AwayBackplane extends MemoryBackplane {
        override follow(): ReturnType<MemoryBackplane['follow']> {
          return Promise.reject(new SseError(code, 'Not now.'));
        }
      }
      const app = await start({
        whenFull: 'refuse',
        backplane: (limits) => ({ backplane: new AwayBackplane(limits) }),
      });
      const refused = await fetch(`${app.url}/events`);
      expect([refused.status, await refused.json()]).toEqual([
        503,
        expect.objectContaining({ message: 'The stream is not available now. Come back later.' }),
      ]);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(2);
    },
  );

  it('answer a stream of a channel that is not defined with 500, with strictChannels', async () => {
    const imports = [SseModule.forFeature([defineChannel('known')])];
    const app = await startSseApp({ routes, imports, sse: { strictChannels: true } });
    expect((await answerTo(`${app.url}/events?channels=known`)).status).toBe(200);
    expect((await answerTo(`${app.url}/events?channels=unknown`)).status).toBe(500);
  });
});

describe('What the hub tells of connections', () => {
  it('lists them with their channels and address, and by filter', async () => {
    const { hub, url } = await start({});
    const before = Date.now();
    await listen(`${url}/events?channels=a,b&secret=1`);
    await listen(`${url}/stock`);
    const [first, second] = await hub.connections();
    expect(first).toMatchObject({ channels: ['a', 'b'], path: '/events', address: '127.0.0.1' });
    expect(second).toMatchObject({ channels: [], path: '/stock' });
    expect(first!.id).not.toBe(second!.id);
    expect(first!.connectedAt.getTime()).toBeGreaterThanOrEqual(before);
    expect(await hub.connections({ id: second!.id })).toEqual([second]);
    expect(await hub.connections({ channel: 'b' })).toEqual([first]);
    expect(await hub.connections({ id: second!.id, channel: 'b' })).toEqual([]);
  });

  it('disconnects those that match, after what was published before, and no others', async () => {
    const { hub, url } = await start({});
    const [a, b] = [await listen(`${url}/events?channels=a`), await listen(`${url}/events?channels=b`)];
    void hub.publish('a', { data: 'last words' });
    expect(await hub.disconnect({ channel: 'a' })).toEqual({ ended: 1, away: [] });
    expect((await a.rest()).map(({ text }) => text)).toEqual(['last words']);
    expect(await a.ended()).toBe('ended');
    expect(await hub.disconnect({ channel: 'nobody' })).toEqual({ ended: 0, away: [] });
    await hub.publish('b', { data: 'still here' });
    expect(await b.next()).toMatchObject({ text: 'still here' });
    const [info] = await hub.connections();
    expect(await hub.disconnect({ id: info!.id })).toEqual({ ended: 1, away: [] });
    expect(await b.ended()).toBe('ended');
    expect(hub.stats().connections).toBe(0);
  });

  it('lets one that was disconnected come back and resume', async () => {
    const { hub, url } = await start({ retry: 1 });
    const client = await listen(`${url}/events`, { reconnect: true });
    await hub.disconnect({});
    await client.untilConnected(2);
    await hub.publish('news', { data: 'later' });
    expect(await client.next()).toMatchObject({ text: 'later' });
  });

  it('counts the streams of a channel', async () => {
    const { hub, url } = await start({});
    const client = await listen(`${url}/events?channels=a`);
    await listen(`${url}/merged?channels=a,b`);
    const elsewhere = hub.stream('a').subscribe();
    expect([
      await hub.subscriberCount('a'),
      await hub.subscriberCount('b'),
      await hub.subscriberCount('c'),
    ]).toEqual([3, 1, 0]);
    elsewhere.unsubscribe();
    client.drop('fin');
    await untilConnections(hub, 1);
    expect(await hub.subscriberCount('a')).toBe(1);
  });
});
