import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { Controller, Inject, Sse as StockSse } from '@nestjs/common';
import { expect, it } from '@jest/globals';
import { map, Subject } from 'rxjs';
import type { Observable } from 'rxjs';
import { SseHub } from '../../../src/sse/index.js';
import { blocksOf } from '../../support/blocks.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { start } from '../../support/process.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import type { SseApp } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { Wire } from './wire.js';

/** What a site may add to `proxy_pass`. Until 1.29.7 the first was what the second is. */
const settings = {
  'default settings': '',
  'HTTP/1.0 to the app': 'proxy_http_version 1.0;',
  'HTTP/1.1 to the app': 'proxy_http_version 1.1; proxy_set_header Connection "";',
};
type Setting = keyof typeof settings;
const all = Object.keys(settings) as Setting[];

const paths = ['direct', 'piped', 'stock/direct', 'plain'];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts an nginx that hands everything to that port, and gives its address. It is stopped when the test ends. */
async function startNginx(nginx: string, setting: Setting, upstream: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-sse-hub-nginx-'));
  whenTestEnds(() => rm(folder, { recursive: true, force: true }));
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  const location = `location / { proxy_pass http://127.0.0.1:${upstream}; ${settings[setting]} }`;
  const config = [
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr notice;`,
    `events {}`,
    `http { access_log off; ${temporary.join(' ')}`,
    `server { listen 127.0.0.1:${port}; ${location} } }`,
  ];
  await writeFile(join(folder, 'nginx.conf'), config.join('\n'));
  const args = ['-c', join(folder, 'nginx.conf'), '-p', folder];
  // What it says once it listens.
  const { stop } = await start(nginx, args, /getrlimit/);
  whenTestEnds(stop);
  return `http://127.0.0.1:${port}`;
}

interface ProxiedApp extends SseApp {
  /** The address of nginx. */
  readonly front: string;
  /** The versions of HTTP in which the app was asked. */
  readonly versions: Set<string>;
  /** Publishes, and emits, an event. */
  send(data: string): Promise<string>;
}

async function startBehind(nginx: string, setting: Setting): Promise<ProxiedApp> {
  const plain = new Subject<{ data: string }>();

  @Controller('stock')
  class StockController {
    constructor(@Inject(SseHub) private readonly hub: SseHub) {}

    @StockSse('direct')
    direct(): Observable<unknown> {
      return this.hub.stream('news');
    }
  }
  const app = await startSseApp({
    sse: { heartbeat: 0 },
    routes: {
      direct: (hub) => hub.stream('news'),
      piped: (hub) => hub.stream('news').pipe(map((event) => ({ ...event }))),
      plain: () => plain,
    },
    controllers: [StockController],
  });
  const versions = new Set<string>();
  app.server.on('request', ({ httpVersion }: { httpVersion: string }) => versions.add(httpVersion));
  const send = (data: string): Promise<string> => {
    plain.next({ data });
    return app.hub.publish('news', { data });
  };
  return { ...app, versions, send, front: await startNginx(nginx, setting, app.port) };
}

describeWith('nginx', 'Behind nginx', (nginx) => {
  it.each(all.flatMap((setting) => paths.map((path) => [setting, path] as const)))(
    'each event arrives before the next is published (%s, /%s)',
    async (setting, path) => {
      const { front, send } = await startBehind(nginx, setting);
      const client = await listen(`${front}/${path}`);
      for (let i = 1; i <= 20; i++) {
        await send(`${i}`);
        expect((await client.next()).text).toBe(`${i}`);
      }
    },
  );

  it.each([
    ['HTTP/1.0 to the app', '1.0'],
    ['HTTP/1.1 to the app', '1.1'],
  ] as const)('the app is asked in the version that the settings say (%s)', async (setting, version) => {
    const { front, versions } = await startBehind(nginx, setting);
    await listen(`${front}/direct`);
    expect([...versions]).toEqual([version]);
  });

  it.each(all.flatMap((setting) => paths.map((path) => [setting, path] as const)))(
    'the body is the event stream and nothing else (%s, /%s)',
    async (setting, path) => {
      const { hub, url, front, send } = await startBehind(nginx, setting);
      const straight = await listen(`${url}/${path}`);
      // nginx does not frame what it sends to a client of HTTP/1.0.
      const wire = await Wire.get(`${front}/${path}`, [], '1.0');
      await untilConnections(hub, 2);
      await wire.until('\r\n\r\n');
      for (const data of ['one', 'two', 'three']) await send(data);
      await straight.take(3);
      await hub.disconnect({});
      await Promise.all([straight.ended(), wire.closed]);
      const body = wire.text.slice(wire.text.indexOf('\r\n\r\n') + 4);
      expect(body).toBe(
        blocksOf(straight)
          .map(({ raw }) => `${raw}\n\n`)
          .join(''),
      );
      expect(wire.text).not.toMatch(/transfer-encoding/i);
    },
  );

  it.each(all)('nothing compresses it, although the client would take that (%s)', async (setting) => {
    const { front } = await startBehind(nginx, setting);
    const { headers } = await answerTo(`${front}/direct`, { headers: { 'accept-encoding': 'gzip' } });
    expect(headers).not.toHaveProperty('content-encoding');
    expect(headers).toMatchObject({
      'content-type': expect.stringMatching(/^text\/event-stream/),
      'cache-control': expect.stringContaining('no-transform'),
    });
  });

  it.each(all)('a client that comes back gets what it missed (%s)', async (setting) => {
    const { hub, front, send } = await startBehind(nginx, setting);
    const client = await listen(`${front}/direct`);
    await send('1');
    await client.next();
    client.close();
    await untilConnections(hub, 0);
    await send('2');
    await send('3');
    const again = await listen(`${front}/direct`, { lastEventId: client.lastEventId });
    await send('4');
    expect((await again.take(3)).map(({ text }) => text)).toEqual(['2', '3', '4']);
  });

  it.each(all)(
    'a client that was disconnected comes back by itself, and misses nothing (%s)',
    async (setting) => {
      const { hub, front, send } = await startBehind(nginx, setting);
      const client = await listen(`${front}/direct`, { reconnect: 1 });
      await send('1');
      await client.next();
      await hub.disconnect({});
      await untilConnections(hub, 0); // what is published before that still goes out
      for (const data of ['2', '3']) await send(data);
      expect((await client.take(2)).map(({ text }) => text)).toEqual(['2', '3']);
      expect(client.connected).toBe(2);
    },
  );

  it.each(all)('that a client has left is noticed (%s)', async (setting) => {
    const { hub, front } = await startBehind(nginx, setting);
    const clients = [await listen(`${front}/direct`), await listen(`${front}/plain`)];
    await untilConnections(hub, 2);
    for (const client of clients) client.close();
    await untilConnections(hub, 0);
  });
});
