import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { RequestMethod } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import type { SseHub, SseModule } from '../../../src/sse/index.js';
import { connect } from '../../../src/sse/client/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { startSseApp, untilConnections, type Route, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Connected } from './connecting.js';

const news: Route = (hub) => hub.stream('news');
const publish = (hub: SseHub, ...data: unknown[]): Promise<string[]> =>
  Promise.all(data.map((one) => hub.publish('news', { data: one })));

const start = (sse: Parameters<typeof SseModule.forRoot>[0] = {}): Promise<SseApp> =>
  startSseApp({ routes: { events: news }, sse: { retry: 1, ...sse } });

/** A way to the application that can be cut. */
async function proxied({ port }: SseApp): Promise<{ proxy: TcpProxy; url: string }> {
  const proxy = await TcpProxy.to(port);
  whenTestEnds(() => proxy.close());
  return { proxy, url: `http://127.0.0.1:${proxy.port}/events` };
}

/** A server that answers the requests in turn, the last answer for all that follow. */
async function serve(...answers: RequestListener[]): Promise<{ url: string; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)]!;
    requests.push(request);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  whenTestEnds(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, requests };
}

const status =
  (code: number, headers: Record<string, string> = {}): RequestListener =>
  (_, response) =>
    response.writeHead(code, headers).end();
const stream =
  (text: string, end: 'open' | 'ended' = 'open'): RequestListener =>
  (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(text);
    if (end === 'ended') response.end();
  };

describe('a client of a stream', () => {
  it('gets the data of events as it was published, and their types', async () => {
    const { hub, url } = await start();
    const connected = new Connected(`${url}/events`, {}, ['message', 'price']);
    await connected.until('open');
    const sent = [{ a: [1] }, 'text', 'two\nlines', null, 'é→😀'];
    await publish(hub, ...sent);
    await hub.publish('news', { type: 'price', data: 7 });
    expect(await connected.take(6)).toEqual([...sent, 7]);
  });

  it('resumes after every loss of its connection, and gets each event once', async () => {
    const app = await start();
    const { proxy, url } = await proxied(app);
    const connected = new Connected(url);
    await connected.until('open');
    for (const round of [1, 2, 3]) {
      await publish(app.hub, `${round} before`);
      await connected.take(1);
      proxy.sever();
      await publish(app.hub, `${round} missed`);
      proxy.mend();
      expect(await connected.take(1)).toEqual([`${round} missed`]);
      await connected.until('open');
    }
    expect(connected.events).toHaveLength(6);
    expect(connected.states.filter(({ kind }) => kind === 'reconnecting').length).toBeGreaterThanOrEqual(3);
  });

  it('goes on from the position that it is given', async () => {
    const { hub, url } = await start();
    const [first] = await publish(hub, 'a', 'b');
    const connected = new Connected(`${url}/events`, { lastEventId: first! });
    expect(await connected.take(1)).toEqual(['b']);
    expect(connected.client.lastEventId).toBe((await hub.history('news')).position);
  });

  it('is closed as completed when there will be no more', async () => {
    const { hub, url } = await start();
    const connected = new Connected(`${url}/events`);
    await connected.until('open');
    await publish(hub, 'last');
    await hub.complete('news');
    expect(await connected.until('closed')).toEqual({ kind: 'closed', reason: 'completed' });
    expect(connected.events).toEqual(['last']);
  });

  it('is closed by close(), and by its signal, and nothing arrives any more', async () => {
    const { hub, url } = await start();
    const aborting = new AbortController();
    const [one, other] = [
      new Connected(`${url}/events`),
      new Connected(`${url}/events`, { signal: aborting.signal }),
    ];
    await Promise.all([one.until('open'), other.until('open')]);
    one.client.close();
    aborting.abort();
    for (const { client } of [one, other])
      expect(client.state).toEqual({ kind: 'closed', reason: 'stopped' });
    await untilConnections(hub, 0);
    await publish(hub, 'late');
    expect([...one.events, ...other.events]).toEqual([]);
  });

  it('sends a body with each attempt', async () => {
    const bodies: unknown[] = [];
    const route: Route = (hub, request) => {
      bodies.push((request as unknown as { body: unknown }).body);
      return hub.stream('news');
    };
    const { hub, url } = await startSseApp({
      routes: { events: route },
      routeOptions: { method: RequestMethod.POST },
      sse: { retry: 1 },
    });
    const headers = { 'Content-Type': 'application/json' };
    const connected = new Connected(`${url}/events`, { body: JSON.stringify({ ask: 1 }), headers });
    await connected.until('open');
    await hub.disconnect({});
    await connected.until('open');
    expect(bodies).toEqual([{ ask: 1 }, { ask: 1 }]);
  });
});

describe('a client that is refused', () => {
  it.each([401, 403, 404, 500])('is closed, and says with which status (%i)', async (code) => {
    const { url, requests } = await serve(status(code));
    const connected = new Connected(url);
    expect(await connected.until('closed')).toEqual({ kind: 'closed', reason: 'refused', status: code });
    expect(requests).toHaveLength(1);
  });

  it('is refused by a page to log in, which is no stream', async () => {
    const { url } = await serve(status(200, { 'Content-Type': 'text/html' }));
    const connected = new Connected(url);
    expect(await connected.until('closed')).toEqual({ kind: 'closed', reason: 'refused', status: 200 });
  });

  it.each([429, 502, 503, 504])('comes back after a status that passes (%i)', async (code) => {
    const { url } = await serve(status(code, { 'Retry-After': '0' }), stream('data: here\n\n'));
    const connected = new Connected(url);
    expect(await connected.take(1)).toEqual(['here']);
    expect(connected.states.map(({ kind }) => kind)).toEqual(['connecting', 'reconnecting', 'open']);
  });

  it('may log in again: headers are asked for anew by each attempt', async () => {
    const { url, requests } = await serve(status(401), stream('data: here\n\n'));
    let token = 'old';
    const connected = new Connected(url, {
      headers: async () => ({ Authorization: token }),
      onRefused: async ({ status }) => {
        token = 'new';
        return status === 401;
      },
    });
    expect(await connected.take(1)).toEqual(['here']);
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(['old', 'new']);
  });

  it('is closed when that does not help', async () => {
    const { url, requests } = await serve(status(401));
    const connected = new Connected(url, { onRefused: () => true });
    expect(await connected.until('closed')).toMatchObject({ reason: 'refused', status: 401 });
    expect(requests).toHaveLength(4);
  });

  it('is closed as expired where the hub has said so', async () => {
    const { url } = await serve(stream('event: expired\ndata: {}\n\n', 'ended'), status(401));
    let told = 0;
    const connected = new Connected(url, { onExpired: () => told++ });
    expect(await connected.until('closed')).toEqual({ kind: 'closed', reason: 'expired', status: 401 });
    expect(told).toBe(1);
  });
});

describe('a connection that has died in silence', () => {
  it('is noticed by the heartbeats that do not come, and made anew', async () => {
    const app = await start({ heartbeat: 50 });
    const { proxy, url } = await proxied(app);
    const connected = new Connected(url);
    await connected.until('open');
    proxy.cut();
    await connected.until('reconnecting');
    await publish(app.hub, 'missed');
    proxy.mend();
    expect(await connected.take(1)).toEqual(['missed']);
  });

  it('is alive as long as any byte comes', async () => {
    const { url } = await start({ heartbeat: 500 });
    const connected = new Connected(`${url}/events`);
    await connected.until('open');
    // Three heartbeats take longer than the silence that would count as death.
    const other = await listen(`${url}/events`);
    for (let beats = 0; beats < 3; beats++) await other.untilComment('');
    expect(connected.states.map(({ kind }) => kind)).toEqual(['connecting', 'open']);
  });

  it('is given up when the answer does not begin in time', async () => {
    const { url } = await serve(() => undefined, stream('data: here\n\n'));
    const connected = new Connected(url, { timeout: 50 });
    expect(await connected.until('reconnecting')).toMatchObject({ attempt: 1 });
  });
});

describe('what the hub tells', () => {
  it('is told apart from events', async () => {
    const text = [
      'event: gap\ndata: {"channel":"news","reason":"evicted","requested":"","oldest":null,"latest":"1.a"}\n\n',
      'event: snapshot\ndata: {"channel":"news","state":{"n":1}}\n\n',
      'event: denied\ndata: {"channel":"other","reason":"forbidden"}\n\n',
      'event: sse-position\nid: 7.abcdEFGH\ndata: {}\n\n',
      'event: connection\ndata: {"id":"x"}\n\n',
      'event: error\ndata: Internal server error\n\n',
      'data: event\n\n',
    ].join('');
    const { url } = await serve(stream(text));
    const told: unknown[] = [];
    const types = ['gap', 'snapshot', 'denied', 'sse-position', 'connection', 'error', 'message'];
    const options = {
      onGap: ({ reason }: { reason: string }) => told.push(reason),
      onSnapshot: ({ state }: { state: unknown }) => told.push(state),
      onDenied: ({ channel }: { channel: string }) => told.push(channel),
      onError: (message: string) => told.push(message),
    };
    const connected = new Connected(url, options, types);
    expect(await connected.take(1)).toEqual(['event']);
    expect(told).toEqual(['evicted', { n: 1 }, 'other', 'Internal server error']);
    expect(connected.client.lastEventId).toBe('7.abcdEFGH');
  });

  it('is a gap where history is gone', async () => {
    const { hub, url } = await start({ history: { count: 1 } });
    const [first] = await publish(hub, 'a', 'b', 'c');
    const gaps: unknown[] = [];
    const connected = new Connected(`${url}/events`, {
      lastEventId: first!,
      onGap: (gap) => gaps.push(gap),
    });
    expect(await connected.take(1)).toEqual(['c']);
    expect(gaps).toMatchObject([{ channel: 'news', reason: 'evicted', requested: first }]);
  });
});

describe('iterating over a client', () => {
  it('gives every event in order, however slowly they are taken', async () => {
    const { hub, url } = await start({ history: { count: 5_000 } });
    const client = connect(`${url}/events`);
    const taken: unknown[] = [];
    const done = (async () => {
      for await (const { data } of client) {
        if (taken.push(data) === 5_000) break;
        if (taken.length % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    whenTestEnds(() => client.close());
    await untilConnections(hub, 1);
    await publish(hub, ...Array.from({ length: 5_000 }, (_, i) => i));
    await done;
    expect(taken).toEqual(Array.from({ length: 5_000 }, (_, i) => i));
  });

  it('ends with the stream, and throws where that was refused', async () => {
    const read = async (url: string): Promise<unknown[]> => {
      const data: unknown[] = [];
      for await (const event of connect(url)) data.push(event.data);
      return data;
    };
    const ended = await serve(stream('retry: 1\n\ndata: one\n\n', 'ended'), status(204));
    expect(await read(ended.url)).toEqual(['one']);
    const refused = await serve(status(404));
    await expect(read(refused.url)).rejects.toThrow('refused the stream with status 404');
  });
});

it('closes a connection whose event is longer than it may be', async () => {
  const { url } = await serve(stream(`data: ${'x'.repeat(2_000)}`));
  const connected = new Connected(url, { maxEventLength: 1_000 });
  expect(await connected.until('closed')).toMatchObject({
    reason: 'failed',
    error: { message: expect.stringContaining('maxEventLength (1000') },
  });
});

it('closes a connection whose data cannot be parsed, and says why', async () => {
  const { url } = await serve(stream('data: x\n\n'));
  const parse = (): never => {
    throw new Error('no data of mine');
  };
  const connected = new Connected(url, { parse });
  expect(await connected.until('closed')).toMatchObject({
    reason: 'failed',
    error: { message: 'no data of mine' },
  });
});

it('gives events whose type is a word of JavaScript like any other', async () => {
  const { url } = await serve(stream('event: constructor\ndata: 1\n\nevent: toString\ndata: 2\n\n'));
  const connected = new Connected(url, {}, ['constructor', 'toString']);
  expect(await connected.take(2)).toEqual([1, 2]);
});

it('sends ids that are not ASCII as the hub reads them', async () => {
  const { url, requests } = await serve(
    stream('retry: 1\n\nid: заказ-é\ndata: 1\n\n', 'ended'),
    stream('data: 2\n\n'),
  );
  const connected = new Connected(url);
  await connected.take(2);
  const header = requests[1]!.headers['last-event-id'] as string;
  expect(Buffer.from(header, 'latin1').toString('utf8')).toBe('заказ-é');
});

describe('what can never be', () => {
  it('is an address that cannot be resolved: connect() throws', () => {
    expect(() => connect('/events')).toThrow('Invalid URL');
  });

  it('is a request that fetch() does not take', async () => {
    const connected = new Connected('http://127.0.0.1:1/', { method: 'GET', body: 'x' });
    expect(await connected.until('closed')).toMatchObject({
      reason: 'failed',
      error: { message: expect.stringContaining('The request cannot be made') },
    });
  });

  it('is an answer that makes onRefused() throw', async () => {
    const { url } = await serve(status(401));
    const onRefused = (): never => {
      throw new Error('no login');
    };
    const connected = new Connected(url, { onRefused });
    expect(await connected.until('closed')).toMatchObject({
      reason: 'failed',
      error: { message: 'no login' },
    });
  });
});

it('gives up headers that never come, and says so', async () => {
  const { url } = await serve(stream('data: here\n\n'));
  const headers = jest.fn<() => Promise<undefined>>().mockReturnValueOnce(new Promise(() => undefined));
  const connected = new Connected(url, { headers: () => headers(), timeout: 50 });
  expect(await connected.until('reconnecting')).toMatchObject({
    attempt: 1,
    error: { message: 'No answer within 50 ms.' },
  });
});

it.each(['retry: 2147483647\n\n', 'retry: 99999999999\n\n'])(
  'waits for a very long %j, and no less',
  async (text) => {
    const { url, requests } = await serve(stream(text, 'ended'));
    const connected = new Connected(url);
    const { at } = (await connected.until('reconnecting')) as { at: number };
    expect(at - Date.now()).toBeGreaterThan(2_000_000_000);
    // A timer that is too long would fire at once: by the end of these requests.
    for (let i = 0; i < 3; i++) await (await fetch(url)).text();
    expect(requests).toHaveLength(1 + 3);
  },
);

it('does not hammer a server that asks to come back at once, and fails', async () => {
  const { url } = await serve(stream('retry: 0\n\n', 'ended'), status(503, { 'Retry-After': '0' }));
  const connected = new Connected(url);
  const first = (await connected.until('reconnecting')) as { at: number };
  const second = (await connected.until('reconnecting')) as { at: number };
  expect(second.at - first.at).toBeGreaterThanOrEqual(250);
});

it('calls a listener once for an event, also one that is put on anew by itself', async () => {
  const { url } = await serve(stream('data: 1\n\ndata: 2\n\n'));
  const { client } = new Connected(url);
  const got: unknown[] = [];
  const both = new Promise<void>((resolve) => {
    const once = (): void => {
      const off = client.on('message', (data) => {
        off();
        if (got.push(data) === 2) resolve();
        else once();
      });
    };
    once();
  });
  await both;
  expect(got).toEqual([1, 2]);
});

describe('a loop that is left', () => {
  it('closes the connection', async () => {
    const { hub, url } = await start();
    const client = connect(`${url}/events`);
    await untilConnections(hub, 1);
    await publish(hub, 'a');
    for await (const { data } of client) {
      expect(data).toBe('a');
      break;
    }
    expect(client.state).toEqual({ kind: 'closed', reason: 'stopped' });
    await untilConnections(hub, 0);
  });

  it('leaves it open where something else listens', async () => {
    const { url } = await serve(stream('data: 1\n\n'));
    const { client } = new Connected(url);
    for await (const { data } of client) {
      expect(data).toBe(1);
      break;
    }
    expect(client.state.kind).toBe('open');
  });
});

it('tells the news of the hub between the events of a loop, in their order', async () => {
  const text = ['data: 1\n\n', 'event: snapshot\ndata: {"channel":"a","state":2}\n\n', 'data: 3\n\n'].join(
    '',
  );
  const { url } = await serve(stream(text));
  const seen: unknown[] = [];
  const client = connect(url, { onSnapshot: ({ state }) => seen.push(state) });
  for await (const { data } of client) if (seen.push(data) === 3) break;
  expect(seen).toEqual([1, 2, 3]);
});
