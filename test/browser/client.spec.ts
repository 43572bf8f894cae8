import { Controller, Get, Header, UnauthorizedException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { AuthorizeChannel } from '../../src/sse/index.js';
import { whenTestEnds } from '../support/clean-up.js';
import { startSseApp, untilSubscribers, type SseApp } from '../support/sse-app.js';
import { listen } from '../support/open-stream.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { IMPORT_MAP, ModulesController, UNTIL } from './client-modules.js';
import { engineOf, engines } from './engines/engine-of.js';
import { stopProcessOf } from './engines/page-process.js';

/** Runs in the page: `listen()` connects, `until()` waits for what was written down. */
const PAGE = `<!doctype html><title>Client</title>
  ${IMPORT_MAP}
  <script type="module">
    import { connect, connectByEventSource, connectChannels } from '/modules/client/index.js';
    const record = { states: [], events: [], gaps: 0 };
    const onGap = () => record.gaps++;
    const keep = (data) => record.events.push(data);
    const watched = (client) => {
      client.subscribe(() => record.states.push(client.state));
      return client;
    };
    window.listen = (url, how = 'fetch', options = { types: [] }) =>
      watched((how === 'fetch' ? connect : connectByEventSource)(url, { ...options, onGap })).on('message', keep);
    window.join = (url, ...channels) => {
      const client = watched(connectChannels(url, { onGap }));
      for (const channel of channels) client.channel(channel).on('message', keep);
    };
    ${UNTIL}
    window.isLoaded = true;
  </script>`;

@Controller()
class PageController {
  @Get('client-page')
  @Header('content-type', 'text/html')
  page(): string {
    return PAGE;
  }

  @AuthorizeChannel('rooms/:room')
  mayEnter(): boolean {
    return true;
  }

  @Get('guarded')
  guarded(): never {
    throw new UnauthorizedException();
  }
}

describe.each(engines)('the client in %s', (_name, launch) => {
  const browser = engineOf(launch);

  const start = (heartbeat = 15_000): Promise<SseApp> =>
    startSseApp({
      routes: { events: (hub) => hub.stream('news') },
      controllers: [PageController, ModulesController],
      sse: { retry: 50, heartbeat, endpoint: { path: '/events-of' } },
      configure: (app) => app.enableCors(),
    });

  /** Opens the page of one app. */
  async function load(page: string): Promise<void> {
    whenTestEnds(() => browser().open('about:blank'));
    await browser().open(`${page}/client-page`);
    await browser().evaluate(
      `new Promise((next) => { const look = () => (window.isLoaded ? next() : setTimeout(look, 10)); look(); })`,
    );
  }

  /** Opens the page of one app, and connects it to an address. */
  async function connectFrom(
    page: string,
    url: string,
    how: 'fetch' | 'EventSource' = 'fetch',
  ): Promise<void> {
    await load(page);
    await browser().evaluate(`void listen(${JSON.stringify(url)}, '${how}')`);
  }
  const until = (condition: string): Promise<unknown> =>
    browser().evaluate(`until(({ states, events, gaps }) => ${condition})`);
  const isOpen = (count: number): Promise<unknown> =>
    until(`states.filter(({ kind }) => kind === 'open').length >= ${count}`);

  async function proxyTo({ port }: SseApp): Promise<TcpProxy> {
    const proxy = await TcpProxy.to(port);
    whenTestEnds(() => proxy.close());
    return proxy;
  }

  it('gets every event once, although its connection is severed, also on another origin', async () => {
    const app = await start();
    const proxy = await proxyTo(app);
    await connectFrom(app.url, `http://127.0.0.1:${proxy.port}/events`);
    await isOpen(1);
    await app.hub.publish('news', { data: { n: 1 } });
    await until('events.length === 1');
    proxy.sever();
    await app.hub.publish('news', { data: { n: 2 } });
    proxy.mend();
    await isOpen(2);
    await app.hub.publish('news', { data: { n: 3 } });
    await until('events.length === 3');
    expect(await until('true')).toMatchObject({ events: [{ n: 1 }, { n: 2 }, { n: 3 }], gaps: 0 });
  });

  it('notices a connection that has died in silence', async () => {
    const app = await start(200);
    const proxy = await proxyTo(app);
    await connectFrom(app.url, `http://127.0.0.1:${proxy.port}/events`);
    await isOpen(1);
    proxy.cut();
    await until(`states.some(({ kind }) => kind === 'reconnecting')`);
    await app.hub.publish('news', { data: 'missed' });
    proxy.mend();
    await until(`events.includes('missed')`);
  });

  it('gets what each channel missed while the page slept and the connection died', async () => {
    const app = await start(200);
    const { hub, url } = app;
    const proxy = await proxyTo(app);
    await load(url);
    await browser().evaluate(`join('http://127.0.0.1:${proxy.port}/events-of', 'rooms/a', 'rooms/b')`);
    for (const room of ['rooms/a', 'rooms/b']) await untilSubscribers(hub, room, 1);
    const publish = async (...all: readonly string[]): Promise<void> => {
      for (const data of all) await hub.publish(`rooms/${data[0]!}`, { data });
    };
    await publish('a1', 'b1');
    await until('events.length === 2');
    const goOn = await stopProcessOf(browser());
    proxy.cut();
    await publish('a2', 'b2', 'a3');
    const awake = await listen(`${url}/events`);
    for (let beats = 0; beats < 4; beats++) await awake.untilComment('');
    goOn();
    await until(`states.some(({ kind }) => kind === 'reconnecting')`);
    proxy.mend();
    await until('events.length === 5');
    await publish('b3');
    const { events, gaps } = (await until('events.length === 6')) as { events: string[]; gaps: number };
    const of = (room: string): string[] => events.filter((data) => data.startsWith(room));
    expect([of('a'), of('b'), gaps]).toEqual([['a1', 'a2', 'a3'], ['b1', 'b2', 'b3'], 0]);
  });

  it('says why it is closed', async () => {
    const { url, hub } = await start();
    await connectFrom(url, '/guarded');
    const closed = `states.some(({ kind, reason, status }) => kind === 'closed' && `;
    await until(`${closed} reason === 'refused' && status === 401)`);
    await connectFrom(url, '/events');
    await isOpen(1);
    await hub.complete('news');
    await until(`${closed} reason === 'completed')`);
  });

  it('by EventSource gets every event once, and says why it is closed', async () => {
    const app = await start();
    const proxy = await proxyTo(app);
    await connectFrom(app.url, `http://127.0.0.1:${proxy.port}/events`, 'EventSource');
    await isOpen(1);
    await app.hub.publish('news', { data: { n: 1 } });
    await until('events.length === 1');
    proxy.sever();
    await app.hub.publish('news', { data: { n: 2 } });
    proxy.mend();
    await until('events.length === 2');
    await app.hub.complete('news');
    await until(`states.some(({ kind, reason }) => kind === 'closed' && reason === 'completed')`);
    expect(await until('true')).toMatchObject({ events: [{ n: 1 }, { n: 2 }], gaps: 0 });
  });
});
