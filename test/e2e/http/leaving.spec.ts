import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { Controller, Get, Inject, RequestMethod, Sse as StockSse } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { map, merge, NEVER, Observable, range, share, take } from 'rxjs';
import { Sse, SseHub } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { controllerOf, startSseApp } from '../../support/sse-app.js';
import type { SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { big, numberOf, Publisher, ServerSockets, untilOpen } from './stalled.js';
import { Wire } from './wire.js';

const ways = { FIN: (client: TestStream) => client.drop('fin'), RST: (client: TestStream) => client.drop() };
type Way = keyof typeof ways;

let watchers = 0;
/** Counts those who are subscribed. */
const watched = new Observable(() => {
  watchers++;
  return () => watchers--;
});

@Controller()
class Streams {
  readonly #shared: Observable<unknown>;

  constructor(@Inject(SseHub) private readonly hub: SseHub) {
    this.#shared = this.hub.stream('shared').pipe(share());
  }

  @Sse('direct')
  direct(): Observable<unknown> {
    return this.hub.stream('news');
  }

  @Sse('merged')
  merged(): Observable<unknown> {
    return merge(this.hub.stream(['news', 'sports']), watched);
  }

  @Sse('shared')
  shared(): Observable<unknown> {
    return merge(this.#shared, watched);
  }

  @StockSse('stock')
  stock(): Observable<unknown> {
    return merge(this.hub.stream('news'), watched);
  }

  @Sse('first')
  first(): Observable<unknown> {
    return this.hub.stream('news', { replay: 'all' }).pipe(take(1));
  }

  @Sse('quiet')
  quiet(): Observable<unknown> {
    return NEVER;
  }

  @Get('plain')
  plain(): string {
    return 'ok';
  }
}

const paths = ['direct', 'merged', 'shared', 'stock', 'quiet'];
const start = (): Promise<SseApp> => startSseApp({ controllers: [Streams], sse: { heartbeat: 0 } });

/** Nothing of any stream is left. */
function expectNothingLeft({ hub }: SseApp): void {
  expect(hub.stats()).toMatchObject({ connections: 0, subscribers: 0 });
  expect(watchers).toBe(0);
}

describe('A client that goes away leaves nothing behind', () => {
  it.each(paths.flatMap((path) => (Object.keys(ways) as Way[]).map((way) => [path, way] as const)))(
    'on /%s, by %s',
    async (path, way) => {
      const app = await start();
      const client = await listen(`${app.url}/${path}`);
      await app.hub.publish('news', { data: 'x' });
      ways[way](client);
      await untilOpen(app, 0);
      expectNothingLeft(app);
      expect(await app.hub.connections()).toEqual([]);
      expect(await app.hub.subscriberCount('news')).toBe(0);
    },
  );

  it('also one that does not read', async () => {
    const app = await start();
    const sockets = new ServerSockets(app);
    const client = await listen(`${app.url}/direct`);
    client.pause();
    await new Publisher(app.hub, 'news').fill(sockets.of(client));
    client.drop();
    await untilOpen(app, 0);
    expectNothingLeft(app);
  });

  it('also one that leaves before its method has resolved', async () => {
    let proceed: () => void;
    const gate = new Promise<void>((resolve) => (proceed = resolve));
    let begin: () => void;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const app = await startSseApp({
      routes: {
        slow: async (hub) => {
          begin();
          await gate;
          return merge(hub.stream('news'), watched);
        },
      },
    });
    const client = await Wire.get(`${app.url}/slow`);
    await begun;
    client.leave();
    await untilOpen(app, 0);
    proceed!();
    await new Promise((resolve) => setImmediate(resolve));
    expectNothingLeft(app);
  });

  it('also one whose request is not read to its end', async () => {
    const posts = controllerOf({ posts: () => watched }, { method: RequestMethod.POST, heartbeat: 20 });
    const app = await startSseApp({ controllers: [posts] });
    const client = await Wire.connect(app.url);
    const body = 'x'.repeat(1_000_000);
    client.send(
      `POST /posts HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await client.until('retry: ');
    client.leave();
    await untilOpen(app, 0);
    expectNothingLeft(app);
  });

  it('500 times, by FIN and by RST, while others publish', async () => {
    const app = await start();
    for (let round = 0; round < 10; round++) {
      const clients = await Promise.all(
        Array.from({ length: 50 }, (_, i) => listen(`${app.url}/${paths[i % paths.length]!}`)),
      );
      await app.hub.publish('news', { data: String(round) });
      clients.forEach((client, i) => ways[i % 2 ? 'RST' : 'FIN'](client));
      await app.hub.publish('shared', { data: String(round) });
    }
    await untilOpen(app, 0);
    expectNothingLeft(app);
    expect(app.hub.stats().channels).toBeLessThanOrEqual(3);
  });
});

describe('A stream that one client began and others share', () => {
  it.each(Object.keys(ways) as Way[])(
    'goes on for them when that one stops to read, and leaves by %s',
    async (way) => {
      let shared: Observable<unknown> | undefined;
      const history = { count: 10, bytes: Infinity };
      const app = await startSseApp({
        sse: { history, heartbeat: 0 },
        routes: { news: (hub) => (shared ??= hub.stream('news').pipe(share())) },
      });
      const publisher = new Publisher(app.hub, 'news');
      const first = await listen(`${app.url}/news`);
      const second = await listen(`${app.url}/news`);
      first.pause();
      for (let i = 0; i < 100; i++) {
        await publisher.publish();
        expect(numberOf(await second.next())).toBe(publisher.newest);
      }
      ways[way](first);
      await untilOpen(app, 1);
      for (let i = 0; i < 5; i++) {
        await publisher.publish();
        expect(numberOf(await second.next())).toBe(publisher.newest);
      }
      second.close();
      await untilOpen(app, 0);
      expectNothingLeft(app);
    },
  );

  it.each(Object.keys(ways) as Way[])(
    'does not wait for one that stopped to read before they came, and leaves by %s',
    async (way) => {
      let shared: Observable<unknown> | undefined;
      const history = { count: 1000, bytes: Infinity };
      const app = await startSseApp({
        sse: { history, heartbeat: 0 },
        routes: { news: (hub) => (shared ??= hub.stream('news').pipe(share())) },
      });
      const sockets = new ServerSockets(app);
      const publisher = new Publisher(app.hub, 'news');
      const first = await listen(`${app.url}/news`);
      first.pause();
      await publisher.fill(sockets.of(first));
      const second = await listen(`${app.url}/news`);
      await publisher.publish();
      expect(numberOf((await second.until((event) => numberOf(event) === publisher.newest)).at(-1)!)).toBe(
        publisher.newest,
      );
      ways[way](first);
      await untilOpen(app, 1);
      await publisher.publish();
      expect(numberOf(await second.next())).toBe(publisher.newest);
    },
  );
});

describe('A client that does not read the end of its stream', () => {
  it.each(['finite', 'news'])('is given up after the grace time (/%s)', async (path) => {
    const app = await startSseApp({
      sse: {
        limits: { queuedBytes: Infinity },
        shutdown: { grace: 50 },
        history: { count: 1000, bytes: Infinity },
      },
      routes: { finite: () => range(0, 100).pipe(map(big)), news: (hub) => hub.stream('news') },
    });
    const sockets = new ServerSockets(app);
    const client = await listen(`${app.url}/${path}`);
    const socket = sockets.of(client);
    client.pause();
    if (path === 'news') await new Publisher(app.hub, 'news').fill(socket);
    await app.hub.disconnect({});
    // Or else it would take memory that no limit knows of, for as long as it likes.
    if (!socket.destroyed) await once(socket, 'close');
  });
});

/** Makes a request on a connection that is kept, and reads the answer to its end. */
async function ask(agent: Agent, url: string): Promise<string> {
  const sent = request(url, { agent, headers: { accept: 'text/event-stream' } }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  return text;
}

describe('A connection that is kept alive', () => {
  it.each(['first', 'plain'])('has no more listeners after a hundred requests of /%s', async (path) => {
    const app = await start();
    const sockets = new ServerSockets(app);
    await app.hub.publish('news', { data: 'x' });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    whenTestEnds(() => agent.destroy());
    await ask(agent, `${app.url}/${path}`);
    const listeners = (): number[] => {
      const [socket] = [...sockets.open];
      return socket!.eventNames().map((name) => socket!.listenerCount(name));
    };
    const before = listeners();
    for (let i = 0; i < 100; i++) await ask(agent, `${app.url}/${path}`);
    expect(sockets.open.size).toBe(1);
    expect(listeners()).toEqual(before);
    expectNothingLeft(app);
  });

  it('serves a stream, then an ordinary request, then a stream', async () => {
    const app = await start();
    await app.hub.publish('news', { data: 'x' });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    whenTestEnds(() => agent.destroy());
    const answers = [];
    for (const path of ['first', 'plain', 'first']) answers.push(await ask(agent, `${app.url}/${path}`));
    expect(answers).toEqual([
      expect.stringContaining('data: x\n\n'),
      'ok',
      expect.stringContaining('data: x\n\n'),
    ]);
  });
});
