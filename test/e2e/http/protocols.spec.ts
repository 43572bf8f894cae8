import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:http2';
import type { ClientHttp2Stream } from 'node:http2';
import { get } from 'node:https';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { describe, expect, it } from '@jest/globals';
import { NEVER } from 'rxjs';
import { adapters, type AdapterName } from '../../support/adapters.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { controllerOf, startSseApp } from '../../support/sse-app.js';
import type { Route, SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { certificate } from './certificate.js';
import { untilOpen } from './stalled.js';
import { Wire } from './wire.js';

const routes: Record<string, Route> = {
  news: (hub) => hub.stream('news', { replay: 'all' }),
  sports: (hub) => hub.stream('sports', { replay: 'all' }),
  plain: () => NEVER,
};
const start = (adapter: AdapterName): Promise<SseApp> =>
  startSseApp({ routes, adapter, sse: { heartbeat: 0 } });

/** The events of a body, but for those that only tell the position: their data lines. */
const dataOf = (body: string): string[] =>
  body
    .split('\n\n')
    .flatMap((block) => (/^event: sse-position$/m.test(block) ? [] : (block.match(/^data: .*/gm) ?? [])));

/** What comes after the head. */
const bodyOf = ({ text }: Wire): string => text.slice(text.indexOf('\r\n\r\n') + 4);

/** The body of a chunked response, taken out of its chunks; throws if they are not in order. */
function unchunked(body: string): string {
  const bytes = Buffer.from(body);
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf('\r\n', at);
    const size = bytes.toString('latin1', at, end);
    if (!/^[0-9a-f]+$/.test(size)) throw new Error(`No size of a chunk: ${JSON.stringify(size)}`);
    const length = Number.parseInt(size, 16);
    if (length === 0) return text;
    text += bytes.toString('utf8', end + 2, end + 2 + length);
    at = end + 2 + length + 2;
  }
  return text;
}

describe.each(adapters)('HTTP/1.1, on %s', (adapter) => {
  it('has chunks whose sizes are right, whatever the characters', async () => {
    const { hub, url } = await start(adapter);
    const wire = await Wire.get(`${url}/news`);
    await wire.until('retry: ');
    for (const data of ['ascii', 'ü', '🐟'.repeat(500), 'last']) await hub.publish('news', { data });
    await wire.until('last');
    expect(wire.text).toMatch(/transfer-encoding: chunked/i);
    expect(dataOf(unchunked(bodyOf(wire)))).toEqual([
      'data: ascii',
      'data: ü',
      `data: ${'🐟'.repeat(500)}`,
      'data: last',
    ]);
  });

  it('ends with the last chunk, and serves another request on the connection', async () => {
    const { hub, url } = await start(adapter);
    const wire = await Wire.get(`${url}/news`);
    await wire.until('retry: ');
    await hub.disconnect({});
    await wire.until('0\r\n\r\n');
    wire.get('/sports');
    await hub.publish('sports', { data: 'second' });
    await wire.until('data: second');
  });

  it('answers pipelined requests one after the other, each with its own stream', async () => {
    const { hub, url } = await start(adapter);
    const wire = await Wire.get(`${url}/news`);
    wire.get('/sports');
    wire.get('/plain');
    await untilOpen({ hub }, 3);
    for (let i = 0; i < 3; i++) {
      await hub.publish('sports', { data: `sports ${i}` });
      await hub.publish('news', { data: `news ${i}` });
    }
    await wire.until('news 2');
    expect(wire.text).not.toContain('sports');
    await hub.disconnect({ channel: 'news' });
    await wire.until('sports 2');
    await hub.disconnect({ channel: 'sports' });
    const streams = (await wire.until(/(HTTP\/1\.1 200[^]*){3}retry: /)).text
      .split('HTTP/1.1 200 OK\r\n')
      .slice(1);
    const bodies = streams.map((text) => dataOf(unchunked(text.slice(text.indexOf('\r\n\r\n') + 4))));
    expect(bodies).toEqual([
      ['data: news 0', 'data: news 1', 'data: news 2'],
      ['data: sports 0', 'data: sports 1', 'data: sports 2'],
      [],
    ]);
  });

  it('keeps a pipelined stream open, however silent it is, after the one before has ended', async () => {
    const pulse = controllerOf({ pulse: () => NEVER }, { heartbeat: 50 });
    const sse = { heartbeat: 0, shutdown: { grace: 50 } };
    const { hub, url } = await startSseApp({ routes, adapter, sse, controllers: [pulse] });
    const clock = await listen(`${url}/pulse`);
    const wire = await Wire.get(`${url}/news`);
    wire.get('/sports');
    await untilOpen({ hub }, 3);
    await hub.disconnect({ channel: 'news' });
    for (let beats = 0; beats < 4; beats++) await clock.untilComment('');
    await hub.publish('sports', { data: 'still here' });
    await wire.until('data: still here');
  });

  it.each(['leave', 'reset'] as const)(
    'leaves nothing of pipelined requests behind when their client is gone (%s)',
    async (how) => {
      const app = await start(adapter);
      const wire = await Wire.get(`${app.url}/news`);
      wire.get('/sports');
      wire.get('/plain');
      await untilOpen(app, 3);
      wire[how]();
      await untilOpen(app, 0);
      expect(app.hub.stats().subscribers).toBe(0);
    },
  );
});

describe.each(adapters)('HTTP/1.0, on %s', (adapter) => {
  it('has no chunks in the body, and ends with the connection', async () => {
    const { hub, url } = await start(adapter);
    const wire = await Wire.get(`${url}/news`, [], '1.0');
    await wire.until('retry: ');
    const id = await hub.publish('news', { data: 'one' });
    await wire.until('data: one');
    await hub.publish('news', { data: 'two' });
    await wire.until('data: two');
    await hub.disconnect({});
    await wire.closed;
    expect(wire.text).not.toMatch(/transfer-encoding/i);
    expect(bodyOf(wire).split('\n\n').slice(1, 2)).toEqual([`id: ${id}\ndata: one`]);
  });

  it('leaves nothing behind when its client goes', async () => {
    const app = await start(adapter);
    const wire = await Wire.get(`${app.url}/news`, [], '1.0');
    await wire.until('retry: ');
    wire.leave();
    await untilOpen(app, 0);
  });
});

/** One stream of an HTTP/2 session. */
class Http2Stream {
  text = '';
  status = 0;
  headers: Record<string, unknown> = {};

  private constructor(readonly stream: ClientHttp2Stream) {
    stream.setEncoding('utf8').on('data', (text: string) => (this.text += text));
    stream.on('error', () => undefined);
  }

  static async open(
    session: ReturnType<typeof connect>,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<Http2Stream> {
    const opened = new Http2Stream(session.request({ ':path': path, ...headers }));
    const [head] = (await once(opened.stream, 'response')) as [Record<string, unknown>];
    opened.headers = head;
    opened.status = Number(head[':status']);
    return opened;
  }

  async until(text: string): Promise<this> {
    while (!this.text.includes(text)) await once(this.stream, 'data');
    return this;
  }
}

describe('HTTP/2, on fastify', () => {
  async function startHttp2(): Promise<SseApp & { session: ReturnType<typeof connect> }> {
    const adapter = new FastifyAdapter({
      http2: true,
      https: { ...certificate, allowHTTP1: true },
    } as object);
    const app = await startSseApp({ routes, adapter, sse: { heartbeat: 0 } });
    const session = connect(`https://127.0.0.1:${app.port}`, {
      ca: certificate.cert,
      servername: 'localhost',
    });
    session.on('error', () => undefined);
    whenTestEnds(() => session.destroy());
    await once(session, 'connect');
    return { ...app, session };
  }

  it('streams, many on one connection, without the headers that it forbids', async () => {
    const { hub, session } = await startHttp2();
    const streams = await Promise.all([0, 1, 2].map(() => Http2Stream.open(session, '/news')));
    await hub.publish('news', { data: 'one' });
    for (const stream of streams) await stream.until('data: one\n\n');
    await hub.publish('news', { data: 'two' });
    for (const stream of streams) await stream.until('data: two\n\n');
    expect(streams[0]!.status).toBe(200);
    expect(streams[0]!.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'x-accel-buffering': 'no',
    });
    expect(streams[0]!.headers).not.toHaveProperty('connection');
    expect(streams[0]!.text).toMatch(
      /^id: .*\nretry: 2000\nevent: sse-position\ndata: {}\n\nid: .*\ndata: one\n\nid: .*\ndata: two\n\n$/,
    );
  });

  it('resumes', async () => {
    const { hub, session } = await startHttp2();
    const id = await hub.publish('news', { data: 'one' });
    await hub.publish('news', { data: 'two' });
    const stream = await Http2Stream.open(session, '/news', { 'last-event-id': id });
    await stream.until('data: two\n\n');
    expect(stream.text).not.toContain('data: one');
  });

  it('tears one stream down when its client cancels it, and leaves the others alone', async () => {
    const app = await startHttp2();
    const [first, second] = [
      await Http2Stream.open(app.session, '/news'),
      await Http2Stream.open(app.session, '/news'),
    ];
    first.stream.close();
    await untilOpen(app, 1);
    await app.hub.publish('news', { data: 'still' });
    await second.until('data: still');
  });

  it('ends its streams when the application closes', async () => {
    const app = await startHttp2();
    const stream = await Http2Stream.open(app.session, '/news');
    const ended = once(stream.stream, 'end');
    await app.close();
    await ended;
    expect(stream.text).toMatch(/retry: \d+\n\n$/);
  });

  it('streams to HTTP/1.1 clients of the same server', async () => {
    const { hub, port } = await startHttp2();
    const request = get({ host: '127.0.0.1', port, path: '/news', ca: certificate.cert, agent: false });
    whenTestEnds(() => request.destroy());
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    await hub.publish('news', { data: 'one' });
    let text = '';
    while (!text.includes('data: one\n\n')) text += String(await once(response, 'data'));
    expect([response.httpVersion, response.headers.connection]).toEqual(['1.1', 'keep-alive']);
  });
});
