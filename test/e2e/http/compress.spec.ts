import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import { Controller, Header, Inject } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import compression from 'compression';
import { describe, expect, it, jest } from '@jest/globals';
import { EventSource } from 'eventsource';
import { map, NEVER, type Observable } from 'rxjs';
import { connect, connectChannels } from '../../../src/sse/client/index.js';
import { GzipStream } from '../../../src/sse/http/deflate.js';
import { AuthorizeChannel, Sse, SseHub, SseSnapshot, type SnapshotOf } from '../../../src/sse/index.js';
import { adapters } from '../../support/adapters.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { startNginx } from '../../support/nginx.js';
import { findProgram } from '../../support/programs.js';
import { startProxy } from '../../support/proxies.js';
import {
  controllerOf,
  startSseApp,
  untilConnections,
  untilSubscribers,
  type Route,
  type SseApp,
} from '../../support/sse-app.js';
import { certificate } from './certificate.js';
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

/** Directives of nginx, whether its client takes gzip, and the coding with which it then gets the stream. */
const nginxes = [
  ['', 'gzip', 'gzip'],
  ['', 'identity', undefined],
  // It asks for gzip, whatever its client takes, and decodes.
  ['gunzip on; proxy_set_header Accept-Encoding gzip;', 'identity', undefined],
  ['gunzip on; proxy_set_header Accept-Encoding gzip;', 'gzip', 'gzip'],
  // It would compress by itself.
  ['gzip on; gzip_proxied any; gzip_min_length 0; gzip_types text/event-stream;', 'gzip', 'gzip'],
  ['proxy_buffering off; proxy_ignore_headers X-Accel-Buffering;', 'gzip', 'gzip'],
] as const;

describeWith('nginx', 'compress, behind nginx', (nginx) => {
  it.each(nginxes)('sends each event at once, and ends (%j, %s)', async (directives, takes, coding) => {
    const { hub, port } = await start({ routes: { events: (hub) => hub.stream('news') } });
    const client = await GzipClient.open(`${await startNginx(nginx, [port], directives)}/events`, {
      'accept-encoding': takes,
    });
    expect(client.response.headers['content-encoding']).toBe(coding);
    for (let n = 0; n < 20; n++) {
      await hub.publish('news', { data: `event ${n}` });
      await client.until(`data: event ${n}\n\n`);
    }
    await hub.complete('news');
    await client.ended;
  });
});

describeWith('haproxy', 'compress, behind haproxy', (haproxy) => {
  it('sends each event at once, and ends', async () => {
    const { hub, port } = await start({ routes: { events: (hub) => hub.stream('news') } });
    const client = await GzipClient.open(`${await startProxy('haproxy', haproxy, port)}/events`);
    expect(client.response.headers['content-encoding']).toBe('gzip');
    for (let n = 0; n < 20; n++) {
      await hub.publish('news', { data: `event ${n}` });
      await client.until(`data: event ${n}\n\n`);
    }
    await hub.complete('news');
    await client.ended;
  });
});

describe.each(adapters)('compress, on %s, where there is no stream', (adapter) => {
  it.each([
    ['a HEAD', 'HEAD', 'direct', 200, 'gzip'],
    ['a 204', 'GET', 'over', 204, undefined],
    ['an error', 'GET', 'failing', 500, undefined],
    ['a coding of the route itself', 'GET', 'coded', 200, 'identity'],
  ])('answers as it would otherwise: %s', async (_what, method, path, status, coding) => {
    @Controller()
    class OthersController {
      constructor(@Inject(SseHub) private readonly hub: SseHub) {}

      @Sse('coded')
      @Header('Content-Encoding', 'identity')
      coded(): Observable<unknown> {
        return this.hub.stream('news');
      }
    }
    const { hub, url } = await startSseApp({
      adapter,
      controllers: [OthersController],
      routes: {
        direct: (hub) => hub.stream('news'),
        over: (hub) => hub.stream('over'),
        failing: () => {
          throw new Error('not today');
        },
      },
      sse: { compress: true },
    });
    await hub.publish('over', { data: 'the end' });
    await hub.complete('over');
    const client = await GzipClient.open(`${url}/${path}`, {}, method);
    expect([client.response.statusCode, client.response.headers['content-encoding']]).toEqual([
      status,
      coding,
    ]);
    if (status === 200) return;
    await client.ended;
    expect(client.text === '' || JSON.parse(client.text)).toBeTruthy();
  });
});

describe('compress', () => {
  it('works over HTTP/2', async () => {
    const adapter = new FastifyAdapter({ http2: true, https: { ...certificate } } as object);
    const { hub, port } = await start({ adapter });
    const session = connectHttp2(`https://127.0.0.1:${port}`, {
      ca: certificate.cert,
      servername: 'localhost',
    });
    whenTestEnds(() => session.destroy());
    const stream = session.request({ ':path': '/direct', 'accept-encoding': 'gzip' });
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
    expect(head['content-encoding']).toBe('gzip');
    const body = stream.pipe(createGunzip()).setEncoding('utf8');
    let text = '';
    body.on('data', (part: string) => (text += part));
    for (const data of ['one', 'two', 'three']) {
      await hub.publish('news', { data });
      while (!text.includes(`data: ${data}\n\n`)) await once(body, 'data');
    }
    const ended = once(body, 'end');
    await hub.complete('news');
    await ended;
  });

  it('is not left over for the answer of an exception filter, if a header cannot be sent', async () => {
    const broken = controllerOf({ broken: () => NEVER }, { plain: { headers: { 'x-broken': 'no\nno' } } });
    const { url } = await start({ controllers: [broken] });
    const client = await GzipClient.open(`${url}/broken`);
    await client.ended;
    expect(JSON.parse(client.text)).toMatchObject({ statusCode: 500 });
    expect(client.response.headers['content-encoding']).toBeUndefined();
  });

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

  it('does not break off what others refer to when a client resumes', async () => {
    const { hub, url } = await start({ sse: { compress: true } });
    const early = await GzipClient.open(`${url}/direct`);
    const sizes: number[] = [];
    const ids: string[] = [];
    const publish = async (n: number): Promise<void> => {
      const before = early.bytes;
      const data = JSON.stringify({ n, text: 'some words that come in each of them' });
      ids.push(await hub.publish('news', { data }));
      await early.until(data);
      sizes.push(early.bytes - before);
    };
    await publish(1);
    await publish(2);
    const resumed = await GzipClient.open(`${url}/direct`, { 'last-event-id': ids[0] as string });
    await resumed.until('"n":2');
    await publish(3);
    await resumed.until('"n":3');
    const [alone = 0, ...chained] = sizes;
    expect(Math.max(...chained)).toBeLessThan(alone);
  });

  it('holds no text longer than the one after it may refer to it', async () => {
    const shared = jest.spyOn(GzipStream.prototype, 'shared');
    whenTestEnds(() => shared.mockRestore());
    const { hub, url } = await start({ sse: { compress: true } });
    const client = await GzipClient.open(`${url}/direct`);
    for (let n = 0; n < 20; n++) {
      await hub.publish('news', { data: `event ${n}` });
      await client.until(`event ${n}\n`);
    }
    const texts = shared.mock.calls.map(([text]) => text);
    expect(texts).toHaveLength(20);
    expect(texts.map(({ follows }) => follows !== undefined)).toEqual(
      texts.map((text) => text === texts.at(-1)),
    );
  });

  it('goes on where a client has stalled, and cuts it off where the route says so', async () => {
    const { hub, url } = await start({
      sse: { compress: true, history: { count: 5 } },
      controllers: [controllerOf({ strict: (hub) => hub.stream('news') }, { slow: 'disconnect' })],
    });
    const patient = await GzipClient.open(`${url}/direct`);
    const strict = await GzipClient.open(`${url}/strict`);
    for (const client of [patient, strict]) client.stall();
    const publish = (): Promise<string> =>
      hub.publish('news', { data: randomBytes(300_000).toString('base64') });
    await eventually(async () => {
      await publish();
      return hub.stats().connections === 1;
    });
    await hub.publish('news', { data: 'the last' });
    for (const client of [patient, strict]) client.goOn();
    await patient.until('event: gap\n');
    await patient.until('data: the last\n\n');
    await expect(strict.ended).rejects.toThrow();
    await hub.disconnect({});
    await patient.ended;
  });

  it('tells of gaps, denied channels and snapshots, ends at the shutdown, and serves plain routes', async () => {
    @Controller()
    class FeaturesController {
      @AuthorizeChannel('secret')
      mayRead(): boolean {
        return false;
      }

      @SseSnapshot('board')
      board(): SnapshotOf {
        return { state: 'the whole board' };
      }
    }
    const { hub, url, close } = await start({
      routes: { all: (hub) => hub.stream(['news', 'secret', 'board']) },
      controllers: [
        FeaturesController,
        controllerOf({ plain: (hub) => hub.stream('answer', { replay: 'all' }) }, { plain: true }),
      ],
    });
    const client = await GzipClient.open(`${url}/all`);
    await client.until('event: denied\n');
    await client.until('the whole board');
    await hub.publish('answer', { data: 'word' });
    await hub.complete('answer');
    const plain = await GzipClient.open(`${url}/plain`);
    await plain.ended;
    expect([plain.response.headers['content-encoding'], plain.text]).toEqual([
      'gzip',
      expect.stringContaining('data: word\n\n'),
    ]);
    const closed = close();
    await client.ended;
    expect(client.text).toMatch(/retry: \d+\n\n$/);
    await closed;
  });

  it('serves the client of this package, with its own ids', async () => {
    @Controller()
    class AccessController {
      @AuthorizeChannel(':any')
      mayRead(): boolean {
        return true;
      }
    }
    const { hub, url } = await start({
      controllers: [AccessController],
      sse: { compress: true, endpoint: { path: '/events-of' } },
    });
    const codings: unknown[] = [];
    const fetched: typeof fetch = async (...args) => {
      const response = await fetch(...args);
      codings.push(response.headers.get('content-encoding'));
      return response;
    };
    const single = connect(`${url}/direct`, { fetch: fetched });
    const several = connectChannels(`${url}/events-of`, { fetch: fetched });
    whenTestEnds(() => [single, several].forEach((client) => client.close()));
    const heard: unknown[] = [];
    single.on('message', (data) => heard.push(data));
    for (const name of ['news', 'other']) several.channel(name).on('message', (data) => heard.push(data));
    await untilSubscribers(hub, 'news', 2);
    await untilSubscribers(hub, 'other', 1);
    for (const [channel, n] of [
      ['news', 1],
      ['other', 2],
      ['news', 3],
    ] as const)
      await hub.publish(channel, { data: { n } });
    await eventually(() => heard.length === 5);
    expect(codings).toContain('gzip');
    expect(codings).not.toContain(null);
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
