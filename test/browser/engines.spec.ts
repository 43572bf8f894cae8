import type { RequestListener } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { lmdbBackplane } from '../../src/sse/backplanes/lmdb/index.js';
import { openStream, type Engine } from '../../src/sse/testing/index.js';
import { change, startEndpointApp } from '../e2e/endpoint/endpoint-app.js';
import { whenTestEnds } from '../support/clean-up.js';
import { startNginx } from '../support/nginx.js';
import { requireProgram } from '../support/programs.js';
import { startSseApp, untilConnections, type SseApp, type SseAppOptions } from '../support/sse-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { engineOf, engines } from './engines/engine-of.js';
import { Recorder, RecorderController, type RecordedEvent } from './engines/recorder.js';

// The engines differ: only Chromium stores the id of a block without data. These tests are about the
// EventSource of the browsers; what the hub does in them is tested elsewhere, and more closely.
//
// A connection is cut only when the page shows that it has what it is to have: an engine may throw away
// what it has received, but not yet read, when its connection fails.

/** Milliseconds between the end of a connection and the next; Firefox waits at least half a second. */
const RETRY = 500;

const dataOf = (events: readonly RecordedEvent[]): string[] => events.map(({ data }) => data);

describe.each(engines)('an EventSource of %s', (title, launch) => {
  const browser = engineOf(launch);
  const name = title.toLowerCase() as Engine;

  const start = (options: SseAppOptions): Promise<SseApp> =>
    startSseApp({
      controllers: [RecorderController],
      ...options,
      sse: { retry: RETRY, shutdown: { spread: 0 }, strictHandlers: false, ...options.sse },
    });

  /** The page asks the app of the test no longer. */
  const leave = (): Promise<void> => browser().open('about:blank');

  async function listen(url: string, path: string): Promise<Recorder> {
    whenTestEnds(leave);
    return Recorder.listen(browser(), url, path);
  }

  async function proxyTo({ port }: SseApp): Promise<{ proxy: TcpProxy; url: string }> {
    const proxy = await TcpProxy.to(port);
    whenTestEnds(() => proxy.close());
    return { proxy, url: `http://127.0.0.1:${proxy.port}` };
  }

  it('is cut off before its first event, and gets what came meanwhile', async () => {
    const app = await start({ routes: { events: (hub) => hub.stream('news') } });
    const { proxy, url } = await proxyTo(app);
    const page = await listen(url, '/events');
    await page.positionAfter(null);
    proxy.sever();
    await untilConnections(app.hub, 0);
    await app.hub.publish('news', { data: 'meanwhile' });
    proxy.mend();
    await page.opened(2);
    await app.hub.publish('news', { data: 'after' });
    expect(dataOf(await page.eventsUntil('after'))).toEqual(['meanwhile', 'after']);
  });

  it('comes back to a server that was started again, and has every event once', async () => {
    const backplane = lmdbBackplane({ path: await temporaryFolder() });
    const options: SseAppOptions = {
      routes: { events: (hub) => hub.stream('news') },
      sse: { backplane },
    };
    const before = await start(options);
    const page = await listen(before.url, '/events');
    await page.opened(1);
    await before.hub.publish('news', { data: 'before' });
    await page.eventsUntil('before');
    await before.close();
    await page.failed(2); // its connection, and an attempt while nobody listens
    const after = await start({ ...options, port: before.port });
    await after.hub.publish('news', { data: 'meanwhile' });
    await page.opened(2);
    await after.hub.publish('news', { data: 'after' });
    expect(await page.eventsUntil('after')).toEqual(
      ['before', 'meanwhile', 'after'].map((data) => ({ type: 'message', data })),
    );
  });

  it('comes back to a server behind nginx that was started again, also from a page of another origin', async () => {
    const { url } = await start({});
    const backplane = lmdbBackplane({ path: await temporaryFolder() });
    const options: SseAppOptions = {
      routes: { events: (hub) => hub.stream('news') },
      sse: { backplane },
      configure: (app) => app.enableCors(),
    };
    const before = await start(options);
    const front = await startNginx(requireProgram('nginx'), [before.port]);
    const page = await listen(url, `${front}/events`);
    await page.opened(1);
    await before.hub.publish('news', { data: 'before' });
    await page.eventsUntil('before');
    await before.close();
    await page.opened(2); // the answer of nginx
    const after = await start({ ...options, port: before.port });
    await after.hub.publish('news', { data: 'after' });
    expect(dataOf(await page.eventsUntil('after'))).toEqual(['before', 'after']);
  });

  it('is told of a gap by a server whose memory was lost with it', async () => {
    const routes: SseAppOptions['routes'] = { events: (hub) => hub.stream('news') };
    const before = await start({ routes });
    const page = await listen(before.url, '/events');
    await page.opened(1);
    await before.hub.publish('news', { data: 'before' });
    await page.eventsUntil('before');
    await before.close();
    const after = await start({ routes, port: before.port });
    await page.opened(2);
    await after.hub.publish('news', { data: 'after' });
    const events = await page.eventsUntil('after');
    expect(events.map(({ type }) => type)).toEqual(['message', 'gap', 'message']);
  });

  it('is told of a gap where more came meanwhile than is kept, and gets what is', async () => {
    const app = await start({
      routes: { events: (hub) => hub.stream('news') },
      sse: { history: { count: 2 } },
    });
    const { proxy, url } = await proxyTo(app);
    const page = await listen(url, '/events');
    await page.opened(1);
    await app.hub.publish('news', { data: '1' });
    await page.eventsUntil('1');
    proxy.sever();
    await untilConnections(app.hub, 0);
    for (const data of ['2', '3', '4', '5']) await app.hub.publish('news', { data });
    proxy.mend();
    const [first, gap, ...rest] = await page.eventsUntil('5');
    expect(first!.data).toBe('1');
    expect(gap!.type).toBe('gap');
    expect(JSON.parse(gap!.data)).toMatchObject({ channel: 'news', reason: 'evicted' });
    expect(dataOf(rest)).toEqual(['4', '5']);
  });

  it('gets several channels in one response, and goes on in each of them', async () => {
    const app = await start({ routes: { events: (hub) => hub.stream(['news', 'scores/büro 1']) } });
    const { proxy, url } = await proxyTo(app);
    const page = await listen(url, '/events');
    await page.opened(1);
    await app.hub.publish('news', { data: 'news 1' });
    await page.eventsUntil('news 1');
    proxy.sever();
    await untilConnections(app.hub, 0);
    // The client has had no event of this channel yet.
    await app.hub.publish('scores/büro 1', { data: 'score 1' });
    await app.hub.publish('news', { data: 'news 2' });
    proxy.mend();
    await page.opened(2);
    await app.hub.publish('scores/büro 1', { data: 'score 2' });
    await app.hub.publish('news', { data: 'news 3' });
    await page.eventsUntil('score 2');
    const data = dataOf(await page.eventsUntil('news 3'));
    expect(data.filter((each) => each.startsWith('news'))).toEqual(['news 1', 'news 2', 'news 3']);
    expect(data.filter((each) => each.startsWith('score'))).toEqual(['score 1', 'score 2']);
    expect(data).toHaveLength(5);
  });

  it('gets a compressed stream at once, and comes back to it after a cut and after its end', async () => {
    const app = await start({
      routes: { events: (hub) => hub.stream('news') },
      sse: { compress: true, heartbeat: 200 },
    });
    const codings: unknown[] = [];
    app.server.on('request', ({ url }, response) => {
      if (url === '/events')
        response.once('close', () => codings.push(response.getHeader('content-encoding')));
    });
    const { proxy, url } = await proxyTo(app);
    const page = await listen(url, '/events');
    await page.positionAfter(null);
    const texts = ['one', 'two', `three ${'é'.repeat(50_000)}`, 'four'];
    for (const data of texts) {
      await app.hub.publish('news', { data });
      await page.eventsUntil(data);
    }
    proxy.sever();
    await untilConnections(app.hub, 0);
    for (const data of ['meanwhile', 'and more']) await app.hub.publish('news', { data });
    proxy.mend();
    await page.opened(2);
    await page.eventsUntil('and more');
    await app.hub.disconnect({});
    await page.opened(3);
    await app.hub.publish('news', { data: 'after' });
    expect(dataOf(await page.eventsUntil('after'))).toEqual([...texts, 'meanwhile', 'and more', 'after']);
    expect(codings).toEqual(['gzip', 'gzip']);
  });

  it('does not come back to a channel of the endpoint that it has left, nor to the last one', async () => {
    const app = await startEndpointApp({ retry: RETRY }, { controllers: [RecorderController] });
    const { proxy, url } = await proxyTo(app);
    const page = await listen(url, '/events');
    const connection = async (count: number): Promise<string> =>
      (JSON.parse((await page.latestOf('connection', count)).data) as { id: string }).id;

    /** Leaves a channel and is cut off. @returns the channels that it comes back to, as its `count`th connection */
    async function channelsWithout(channel: string, count: number): Promise<string[]> {
      const position = await page.position();
      await change(app.url, await connection(count - 1), { leave: [channel] });
      await page.positionAfter(position);
      proxy.sever();
      proxy.mend();
      const { body } = await change(app.url, await connection(count), {});
      return (body as { channels: string[] }).channels;
    }

    await change(app.url, await connection(1), { join: ['rooms/a', 'rooms/b'] });
    // With an event of each, every engine knows that it is in both.
    for (const room of ['rooms/a', 'rooms/b']) await app.hub.publish(room, { data: room });
    await page.eventsUntil('rooms/b');
    expect(await channelsWithout('rooms/a', 2)).toEqual(['rooms/b']);
    expect(await channelsWithout('rooms/b', 3)).toEqual([]);
  });

  it('stays away after a 204', async () => {
    const app = await start({ routes: { events: (hub) => hub.stream('news') } });
    const statuses: number[] = [];
    app.server.on('request', ({ url }, response) => {
      if (url === '/events') response.once('close', () => statuses.push(response.statusCode));
    });
    const page = await listen(app.url, '/events');
    await page.opened(1);
    await app.hub.publish('news', { data: 'the last' });
    await page.eventsUntil('the last');
    await app.hub.complete('news');
    await page.closed();
    expect(statuses).toEqual([200, 204]);
  });

  it('comes back with the ids with which a stream of the test kit comes back', async () => {
    const blocks = [
      'id: 2\n\n',
      'id: 2\n\ndata\n\n',
      'id: 2\ndata\n\n',
      'id\n\n',
      'id\ndata\n\nid: 3\ndata\n',
    ];
    /** The last event IDs of each client. */
    const ids = new Map<string, unknown[]>();
    const answer: RequestListener = ({ url = '', headers }, response) => {
      const known = [...(ids.get(url) ?? []), headers['last-event-id']];
      ids.set(url, known);
      if (known.length > 1) response.writeHead(204).end();
      else
        response
          .writeHead(200, { 'content-type': 'text/event-stream' })
          .end(`retry: ${RETRY}\n\nid: 1\ndata\n\n${blocks[Number(url[1])]!}`);
    };
    const { url } = await start({ configure: (app) => app.use('/blocks', answer) });
    const page = await listen(url, '/blocks/0');
    for (const n of [1, 2, 3, 4]) await browser().evaluate(`listen('/blocks/${n}')`);
    await page.failed(10); // each at its end, and by the 204
    for (const n of [0, 1, 2, 3, 4]) {
      const stream = await openStream(url, `/blocks/${n}?kit`);
      await stream.rest();
      await expect(stream.resume({ as: name })).rejects.toMatchObject({ status: 204 });
      expect([blocks[n], ids.get(`/${n}?kit`)]).toEqual([blocks[n], ids.get(`/${n}`)]);
    }
  });
});
