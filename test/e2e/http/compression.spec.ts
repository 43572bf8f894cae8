import { once } from 'node:events';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import compression from 'compression';
import { describe, expect, it } from '@jest/globals';
import { map, of, Subject } from 'rxjs';
import { whenTestEnds } from '../../support/clean-up.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route, SseApp } from '../../support/sse-app.js';

const plain = new Subject<string>();
const routes: Record<string, Route> = {
  direct: (hub) => hub.stream('news'),
  piped: (hub) => hub.stream('news').pipe(map((event) => ({ ...event }))),
  merged: (hub) => hub.stream(['news', 'other']),
  finite: () => of('all at once'),
  plain: () => plain,
};

const start = (allowTransform?: boolean): Promise<SseApp> =>
  startSseApp({
    routes,
    configure: (app) => app.use(compression({ threshold: 0 })),
    ...(allowTransform !== undefined && { routeOptions: { allowTransform } }),
  });

/** A client that accepts gzip, and decompresses what comes so. */
class GzipClient {
  text = '';
  readonly ended: Promise<unknown>;

  private constructor(
    readonly response: IncomingMessage,
    private readonly body: NodeJS.ReadableStream,
  ) {
    body.on('data', (bytes: Buffer) => (this.text += bytes.toString()));
    this.ended = new Promise((resolve) => body.once('end', resolve));
  }

  static async open(url: string): Promise<GzipClient> {
    const request = get(url, { agent: false, headers: { 'accept-encoding': 'gzip' } });
    whenTestEnds(() => request.destroy());
    request.on('error', () => undefined);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.on('error', () => undefined); // when the test ends
    const isGzip = response.headers['content-encoding'] === 'gzip';
    return new GzipClient(response, isGzip ? response.pipe(createGunzip()) : response);
  }

  async until(text: string): Promise<void> {
    while (!this.text.includes(text)) await once(this.body, 'data');
  }
}

describe('A route with allowTransform, behind the compression middleware', () => {
  it.each(['direct', 'piped', 'merged'])(
    'is compressed, and each event arrives at once (/%s)',
    async (path) => {
      const { hub, url } = await start(true);
      const client = await GzipClient.open(`${url}/${path}`);
      expect(client.response.headers['content-encoding']).toBe('gzip');
      expect(client.response.headers['cache-control']).not.toContain('no-transform');
      await client.until('retry: 2000\nevent: sse-position\ndata: {}\n\n');
      for (const data of ['one', 'two', 'x'.repeat(200_000), 'three']) {
        await hub.publish('news', { data });
        await client.until(`data: ${data}\n\n`);
      }
      await hub.disconnect({});
      await client.ended;
    },
  );

  it('is compressed when its Observable is no hub stream', async () => {
    const { url } = await start(true);
    const client = await GzipClient.open(`${url}/plain`);
    for (const data of ['one', 'two']) {
      plain.next(data);
      await client.until(`data: ${data}\n\n`);
    }
    expect(client.response.headers['content-encoding']).toBe('gzip');
  });

  it('is complete when it ends', async () => {
    const { url } = await start(true);
    const client = await GzipClient.open(`${url}/finite`);
    await client.ended;
    expect(client.text).toContain('data: all at once\n\n');
  });

  it('says goodbye when the application closes', async () => {
    const { url, close } = await start(true);
    const client = await GzipClient.open(`${url}/direct`);
    await Promise.all([close(), client.ended]);
    expect(client.text).toMatch(/retry: \d+\n\n$/);
  });
});

describe('A middleware that wraps write() of the response', () => {
  it.each(['direct', 'piped', 'plain'])('sees everything that is written (/%s)', async (path) => {
    const seen: string[] = [];
    const { hub, url } = await startSseApp({
      routes,
      configure: (app) =>
        app.use((_request: unknown, response: { write(chunk: unknown): boolean }, next: () => void) => {
          const write = response.write.bind(response);
          response.write = (chunk) => {
            seen.push(String(chunk));
            return write(chunk);
          };
          next();
        }),
    });
    const client = await GzipClient.open(`${url}/${path}`);
    for (const data of ['one', 'two']) {
      if (path === 'plain') plain.next(data);
      await hub.publish('news', { data });
      await client.until(`data: ${data}\n\n`);
    }
    expect(seen.join('')).toBe(client.text);
  });
});

describe.each([undefined, false])(
  'A route with allowTransform %s, behind the compression middleware',
  (allowTransform) => {
    it('is not compressed', async () => {
      const { hub, url } = await start(allowTransform);
      const client = await GzipClient.open(`${url}/direct`);
      expect(client.response.headers).not.toHaveProperty('content-encoding');
      expect(client.response.headers['cache-control']).toContain('no-transform');
      for (const data of ['one', 'two']) {
        await hub.publish('news', { data });
        await client.until(`data: ${data}\n\n`);
      }
    });
  },
);
