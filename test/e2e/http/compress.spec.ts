import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import compression from 'compression';
import { describe, expect, it } from '@jest/globals';
import { EventSource } from 'eventsource';
import { map } from 'rxjs';
import { adapters } from '../../support/adapters.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { findProgram } from '../../support/programs.js';
import { startSseApp, untilConnections, type Route, type SseApp } from '../../support/sse-app.js';
import { GzipClient } from './gzip-client.js';

const routes: Record<string, Route> = {
  direct: (hub) => hub.stream('news'),
  piped: (hub) => hub.stream('news').pipe(map((event) => ({ ...event }))),
  merged: (hub) => hub.stream(['news', 'other']),
};

const start = (options: Partial<Parameters<typeof startSseApp>[0]> = {}): Promise<SseApp> =>
  startSseApp({ routes, sse: { compress: true }, ...options });

describe.each(adapters)('compress, on %s', (adapter) => {
  it.each(Object.keys(routes))('sends each event at once (/%s)', async (path) => {
    const { hub, url } = await start({ adapter });
    const client = await GzipClient.open(`${url}/${path}`);
    expect(client.response.headers['content-encoding']).toBe('gzip');
    expect(client.response.headers.vary).toContain('Accept-Encoding');
    await client.until('event: sse-position\ndata: {}\n\n');
    for (const data of ['one', 'two', 'x'.repeat(200_000), 'é three']) {
      await hub.publish('news', { data });
      await client.until(`data: ${data}\n\n`);
    }
    await hub.disconnect({});
    await client.ended;
  });
});

describe('compress', () => {
  it('refers to the event before where a client has that, and not where it has something else', async () => {
    const { hub, url } = await start({ sse: { compress: true } });
    const early = await GzipClient.open(`${url}/direct`);
    const order = (n: number): string => JSON.stringify({ n, text: 'some words that come in each of them' });
    await hub.publish('news', { data: order(1) });
    await early.until(order(1));
    const late = await GzipClient.open(`${url}/direct`);
    await late.until('sse-position');
    const before = { early: early.bytes, late: late.bytes };
    await hub.publish('news', { data: order(2) });
    await Promise.all([early.until(order(2)), late.until(order(2))]);
    // The one that has order 1 gets order 2 in fewer bytes.
    expect(early.bytes - before.early).toBeLessThan(late.bytes - before.late);
  });

  it('resumes in the middle, and tells gaps', async () => {
    const { hub, url } = await start({ sse: { compress: true, history: { count: 3 } } });
    const ids: string[] = [];
    for (const n of [1, 2, 3, 4, 5]) ids.push(await hub.publish('news', { data: `order ${String(n)}` }));
    const behind = await GzipClient.open(`${url}/direct`, { 'last-event-id': ids[2] as string });
    await behind.until('data: order 5\n\n');
    expect(behind.text).not.toContain('order 3');
    expect(behind.text).toContain('data: order 4\n\n');
    const lost = await GzipClient.open(`${url}/direct`, { 'last-event-id': ids[0] as string });
    await lost.until('data: order 5\n\n');
    expect(lost.text).toContain('event: gap\n');
  });

  it('leaves responses alone where it must not, and says that they could differ', async () => {
    const { hub, url } = await start();
    const plain = await GzipClient.open(`${url}/direct`, { 'accept-encoding': 'br' });
    expect(plain.response.headers['content-encoding']).toBeUndefined();
    expect(plain.response.headers.vary).toContain('Accept-Encoding');
    await hub.publish('news', { data: 'one' });
    await plain.until('data: one\n\n');
    const head = await GzipClient.open(`${url}/direct`, {}, 'HEAD');
    expect(head.response.headers['content-encoding']).toBe('gzip');
  });

  it('leaves responses alone that something else compresses', async () => {
    const { hub, url } = await start({ configure: (app) => app.use(compression({ threshold: 0 })) });
    const client = await GzipClient.open(`${url}/direct`);
    await client.until('sse-position');
    await hub.publish('news', { data: 'one' });
    await client.until('data: one\n\n');
  });

  it('is off by default, and on or off for a route whatever the channel says', async () => {
    const off = await start({ sse: {} });
    expect((await GzipClient.open(`${off.url}/direct`)).response.headers['content-encoding']).toBeUndefined();
    expect((await GzipClient.open(`${off.url}/direct`)).response.headers.vary).toBeUndefined();
    const on = await start({ sse: {}, routeOptions: { compress: true } });
    expect((await GzipClient.open(`${on.url}/direct`)).response.headers['content-encoding']).toBe('gzip');
    const none = await start({ routeOptions: { compress: false } });
    expect(
      (await GzipClient.open(`${none.url}/direct`)).response.headers['content-encoding'],
    ).toBeUndefined();
  });

  it('ends cleanly for fetch, curl and an EventSource of Node', async () => {
    const { hub, url } = await start();
    const fetched = fetch(`${url}/direct`).then((response) => response.text());
    const curled = promisify(execFile)(findProgram('curl') as string, [
      '-sSN',
      '--compressed',
      `${url}/direct`,
    ]);
    const source = new EventSource(`${url}/direct`);
    whenTestEnds(() => source.close());
    const heard = once(source as unknown as EventTarget, 'message') as Promise<MessageEvent[]>;
    await untilConnections(hub, 3);
    await hub.publish('news', { data: 'the last one' });
    expect((await heard)[0]?.data).toBe('the last one');
    await hub.complete('news');
    expect(await fetched).toContain('data: the last one\n\n');
    expect((await curled).stdout).toContain('data: the last one\n\n');
  });
});
