import { Controller, Get, Header } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { AuthorizeChannel } from '../../src/sse/index.js';
import { whenTestEnds } from '../support/clean-up.js';
import { startSseApp, untilConnections, untilSubscribers, type SseApp } from '../support/sse-app.js';
import { IMPORT_MAP, ModulesController, UNTIL } from './client-modules.js';
import type { BrowserPage } from './engines/browser-engine.js';
import { engineOf, enginesWithTabs } from './engines/engine-of.js';
import { stopProcessOf } from './engines/page-process.js';

/** Runs in each page: what it asks the server for itself is counted. */
const PAGE = `<!doctype html><title>Tab</title>
  ${IMPORT_MAP}
  <script type="module">
    import { connectInTabs, connectChannelsInTabs } from '/modules/client/tabs/index.js';
    const record = { state: '', events: [], gaps: 0, streams: 0 };
    const counted = (...request) => (record.streams++, fetch(...request));
    const onGap = () => record.gaps++;
    const keep = (data) => record.events.push(data);
    const watched = (client) => {
      client.subscribe(() => (record.state = client.state.kind));
      return client;
    };
    window.listen = (identity) =>
      watched(connectInTabs('/news', { identity, onGap, fetch: counted })).on('message', keep);
    window.join = (...channels) => {
      window.client ??= watched(connectChannelsInTabs('/events', { identity: 'ada', onGap, fetch: counted }));
      for (const channel of channels) client.channel(channel, { onSnapshot: keep }).on('message', keep);
    };
    ${UNTIL}
    window.isLoaded = true;
  </script>`;

@Controller()
class PageController {
  @Get('tab')
  @Header('content-type', 'text/html')
  page(): string {
    return PAGE;
  }

  @AuthorizeChannel('rooms/:room')
  mayEnter(): boolean {
    return true;
  }
}

describe.each(enginesWithTabs)('tabs of %s', (_name, launch) => {
  const browser = engineOf(launch);

  const start = (): Promise<SseApp> =>
    startSseApp({
      routes: { news: (hub) => hub.stream('news') },
      controllers: [PageController, ModulesController],
      sse: { retry: 50, endpoint: { path: '/events' } },
    });

  async function open({ url }: SseApp, task: string): Promise<BrowserPage> {
    const tab = await browser().openTab();
    whenTestEnds(() => tab.close().catch(() => undefined));
    await tab.open(`${url}/tab`);
    await tab.evaluate(
      `new Promise((next) => { const look = () => (window.isLoaded ? next() : setTimeout(look, 10)); look(); })`,
    );
    await tab.evaluate(task);
    await until(tab, `state === 'open'`);
    return tab;
  }

  const until = (tab: BrowserPage, condition: string): Promise<unknown> =>
    tab.evaluate(`until(({ state, events, gaps, streams }) => ${condition})`);

  /** Waits until a tab has as many events. @returns them, and how many gaps */
  async function events(tab: BrowserPage, count: number): Promise<unknown> {
    const record = (await until(tab, `events.length >= ${count}`)) as { events: unknown[]; gaps: number };
    return { events: record.events, gaps: record.gaps };
  }

  it('have one connection, which another one takes over, and each event once', async () => {
    const app = await start();
    const tabs: BrowserPage[] = [];
    for (let i = 0; i < 8; i++) tabs.push(await open(app, `listen('ada')`));
    await untilConnections(app.hub, 1);
    for (const data of [1, 2, 3]) await app.hub.publish('news', { data });
    for (const tab of tabs) expect(await events(tab, 3)).toEqual({ events: [1, 2, 3], gaps: 0 });
    expect(app.hub.stats().connections).toBe(1);
    const closing = tabs[0]!.close();
    for (const data of [4, 5, 6]) await app.hub.publish('news', { data });
    await closing;
    for (const data of [7, 8]) await app.hub.publish('news', { data });
    const all = { events: [1, 2, 3, 4, 5, 6, 7, 8], gaps: 0 };
    for (const tab of tabs.slice(1)) expect(await events(tab, 8)).toEqual(all);
    await untilConnections(app.hub, 1);
    const other = await open(app, `listen('grace')`);
    await untilConnections(app.hub, 2);
    await app.hub.publish('news', { data: 9 });
    expect(await events(other, 1)).toEqual({ events: [9], gaps: 0 });
  });

  it('take the connection from a tab that has stopped, which then drops what comes late', async () => {
    const app = await start();
    const leader = await open(app, `listen('ada')`);
    const others = [await open(app, `listen('ada')`), await open(app, `listen('ada')`)];
    await app.hub.publish('news', { data: 1 });
    for (const tab of [leader, ...others]) await events(tab, 1);
    await untilConnections(app.hub, 1);
    const goOn = await stopProcessOf(leader);
    for (const data of [2, 3]) await app.hub.publish('news', { data });
    await untilConnections(app.hub, 2);
    await app.hub.publish('news', { data: 4 });
    for (const tab of others) await events(tab, 4);
    goOn();
    await untilConnections(app.hub, 1);
    await app.hub.publish('news', { data: 5 });
    for (const tab of [leader, ...others])
      expect(await events(tab, 5)).toEqual({ events: [1, 2, 3, 4, 5], gaps: 0 });
  });

  it('share the channels that any of them wants', async () => {
    const app = await start();
    const { hub } = app;
    const first = await open(app, `join('rooms/a', 'rooms/b')`);
    const second = await open(app, `join('rooms/b', 'rooms/c')`);
    await untilConnections(hub, 1);
    for (const room of ['a', 'b', 'c']) await untilSubscribers(hub, `rooms/${room}`, 1);
    for (const room of ['a', 'b', 'c']) await hub.publish(`rooms/${room}`, { data: room });
    expect(await events(first, 2)).toEqual({ events: ['a', 'b'], gaps: 0 });
    expect(await events(second, 2)).toEqual({ events: ['b', 'c'], gaps: 0 });
    await first.close();
    await untilSubscribers(hub, 'rooms/a', 0);
    await hub.publish('rooms/b', { data: 'again' });
    expect(await events(second, 3)).toEqual({ events: ['b', 'c', 'again'], gaps: 0 });
    expect(hub.stats().connections).toBe(1);
  });
});
