import { Controller, Get, Header } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import {
  AuthorizeChannel,
  defineChannel,
  SseModule,
  SseSnapshot,
  type,
  type SnapshotOf,
  type SnapshotRequest,
  type SseHub,
} from '../../src/sse/index.js';
import { whenTestEnds } from '../support/clean-up.js';
import { eventually } from '../support/eventually.js';
import {
  startSseApp,
  untilConnections,
  untilSubscribers,
  type SseApp,
  type SseAppOptions,
} from '../support/sse-app.js';
import { IMPORT_MAP, ModulesController, UNTIL } from './client-modules.js';
import type { BrowserPage, BrowserWithTabs } from './engines/browser-engine.js';
import { launchChromium } from './engines/chromium.js';
import { engineOf, enginesWithTabs } from './engines/engine-of.js';
import { stopProcessOf } from './engines/page-process.js';

/** Runs in each page: what it asks the server for itself is counted. */
const PAGE = `<!doctype html><title>Tab</title>
  ${IMPORT_MAP}
  <script type="module">
    import { connectInTabs, connectChannelsInTabs } from '/modules/client/tabs/index.js';
    const record = { state: '', events: [], gaps: 0, streams: 0, steals: 0, shown: [], refused: [] };
    const counted = (...request) => (record.streams++, fetch(...request));
    const onGap = () => record.gaps++;
    const keep = (data) => record.events.push(data);
    const watched = (client) => {
      window.client = client;
      client.subscribe(() => (record.state = client.state.kind));
      return client;
    };
    window.listen = (identity) =>
      watched(connectInTabs('/news', { identity, onGap, fetch: counted })).on('message', keep);
    window.join = (...channels) => {
      window.client ?? watched(connectChannelsInTabs('/events', { identity: 'ada', onGap, fetch: counted }));
      for (const name of channels) {
        const channel = client.channel(name, { onSnapshot: (state) => record.events.push(...state) });
        channel.on('message', keep);
        channel.subscribe(() => channel.state.kind === 'refused' && record.refused.push(name));
      }
    };
    let mayGoOn;
    window.wait = () => (mayGoOn = new Promise((resolve) => (window.goOn = resolve)));
    // Takes events one by one, and waits after the first.
    window.loop = async () => {
      for await (const { data } of watched(connectInTabs('/news', { identity: 'ada', onGap, fetch: counted }))) {
        keep(data);
        await mayGoOn;
      }
    };
    // From now on the test says when this tab asks for a sign of life.
    window.ticks = () => {
      const due = [];
      const { setTimeout } = window;
      window.setTimeout = (task, time) => (time >= 1_000 && time < 2_000 ? due.push(task) : setTimeout(task, time));
      window.tick = () => due.splice(0).forEach((task) => task());
      window.BroadcastChannel = class extends BroadcastChannel {
        constructor(name) {
          super(name);
          // Asks, and waits for the answer.
          window.ask = () =>
            new Promise((resolve) => {
              this.addEventListener('message', () => resolve(), { once: true });
              tick();
            });
        }
      };
    };
    window.look = (visibilityState) => Object.defineProperty(document, 'visibilityState', { value: visibilityState });
    const { request } = LockManager.prototype;
    LockManager.prototype.request = async function (name, how, held) {
      if (how.steal) {
        record.steals++;
        await mayGoOn;
      }
      return request.call(this, name, how, held);
    };
    window.addEventListener('pageshow', ({ persisted }) => record.shown.push(persisted));
    ${UNTIL}
    window.isLoaded = true;
  </script>`;

/** A channel with a snapshot: everything that was said. */
const Board = defineChannel('boards/:board', { events: { message: type<number>() } });

class Boards {
  readonly said: number[] = [];
  #after: string | undefined;

  async say(hub: SseHub, data: number): Promise<void> {
    this.#after = await hub.publish(Board.of({ board: 'a' }), { data });
    this.said.push(data);
  }

  @AuthorizeChannel(Board)
  mayRead(): boolean {
    return true;
  }

  @SseSnapshot(Board)
  now(_request: SnapshotRequest<{ board: string }>): SnapshotOf<number[]> {
    return { state: [...this.said], after: this.#after };
  }
}

@Controller()
class PageController {
  @Get('tab')
  @Header('content-type', 'text/html')
  page(): string {
    return PAGE;
  }

  @Get('elsewhere')
  elsewhere(): string {
    return 'Another page';
  }

  @AuthorizeChannel('rooms/:room')
  mayEnter(): boolean {
    return true;
  }
}

const start = (options: Partial<SseAppOptions> = {}): Promise<SseApp> =>
  startSseApp({
    routes: { news: (hub) => hub.stream('news') },
    controllers: [PageController, ModulesController],
    providers: [Boards],
    imports: [SseModule.forFeature([Board])],
    sse: { retry: 50, history: { count: 1_000 }, endpoint: { path: '/events' } },
    ...options,
  });

async function open(browser: BrowserWithTabs, { url }: SseApp, task: string): Promise<BrowserPage> {
  const tab = await browser.openTab();
  whenTestEnds(() => tab.close().catch(() => undefined));
  await tab.open(`${url}/tab`);
  await tab.evaluate(
    `new Promise((next) => { const look = () => (window.isLoaded ? next() : setTimeout(look, 10)); look(); })`,
  );
  await tab.evaluate(`{ ${task}; void 0; }`);
  await until(tab, `state === 'open'`);
  return tab;
}

/** The tabs in the order in which they were opened: the first one leads. */
async function openSome(browser: BrowserWithTabs, app: SseApp, count: number, task: string) {
  const tabs: BrowserPage[] = [];
  while (tabs.length < count) tabs.push(await open(browser, app, task));
  return tabs as [BrowserPage, ...BrowserPage[]];
}

/** What a page has written down. */
interface Record {
  readonly events: unknown[];
  readonly gaps: number;
  readonly streams: number;
  readonly steals: number;
  readonly shown: boolean[];
}

const until = (tab: BrowserPage, condition: string): Promise<Record> =>
  tab.evaluate(
    `until(({ state, events, gaps, streams, steals, shown, refused }) => ${condition})`,
  ) as Promise<Record>;

/** Waits until a tab has as many events. @returns them, and how many gaps */
async function events(tab: BrowserPage, count: number): Promise<unknown> {
  const record = await until(tab, `events.length >= ${count}`);
  return { events: record.events, gaps: record.gaps };
}

const publish = async ({ hub }: SseApp, ...numbers: number[]): Promise<void> => {
  for (const data of numbers) await hub.publish('news', { data });
};

/** Everything up to a number, once each. */
const upTo = (last: number, first = 1): unknown => ({
  events: Array.from({ length: last - first + 1 }, (_, i) => first + i),
  gaps: 0,
});

describe.each(enginesWithTabs)('tabs of %s', (_name, launch) => {
  const browser = engineOf(launch);

  it('have one connection, which another one takes over, and each event once', async () => {
    const app = await start();
    const tabs: BrowserPage[] = [];
    for (let i = 0; i < 8; i++) tabs.push(await open(browser(), app, `listen('ada')`));
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
    const other = await open(browser(), app, `listen('grace')`);
    await untilConnections(app.hub, 2);
    await app.hub.publish('news', { data: 9 });
    expect(await events(other, 1)).toEqual({ events: [9], gaps: 0 });
  });

  it('take the connection from a tab that has stopped, which then drops what comes late', async () => {
    const app = await start();
    const leader = await open(browser(), app, `listen('ada')`);
    const others = [await open(browser(), app, `listen('ada')`), await open(browser(), app, `listen('ada')`)];
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
    const first = await open(browser(), app, `join('rooms/a', 'rooms/b')`);
    const second = await open(browser(), app, `join('rooms/b', 'rooms/c')`);
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

  it('are told which channels the server refuses, whoever leads', async () => {
    const sse = { retry: 50, endpoint: { path: '/events' }, limits: { channelsPerConnection: 1 } };
    const app = await start({ sse });
    await open(browser(), app, `join('rooms/a')`);
    const other = await open(browser(), app, `join('rooms/b')`);
    await until(other, `refused.includes('rooms/b')`);
  });

  it('that take the connection at once: one of them has it, and each gets everything once', async () => {
    const app = await start();
    const [leader, ...others] = await openSome(
      browser(),
      app,
      3,
      `look('visible'); wait(); ticks(); listen('ada')`,
    );
    await publish(app, 1);
    for (const tab of [leader, ...others]) await events(tab, 1);
    const goOn = await stopProcessOf(leader);
    await publish(app, 2);
    for (const tab of others)
      await eventually(async () => {
        await tab.evaluate('tick()');
        return (await until(tab, 'true')).steals > 0;
      });
    await Promise.all(others.map((tab) => tab.evaluate('goOn()')));
    await publish(app, 3);
    for (const tab of others) expect(await events(tab, 3)).toEqual(upTo(3));
    await untilConnections(app.hub, 2);
    goOn();
    await untilConnections(app.hub, 1);
    await publish(app, 4);
    for (const tab of [leader, ...others]) expect(await events(tab, 4)).toEqual(upTo(4));
  });

  it('leave the connection to one that is looked at, when its leader has stopped', async () => {
    const app = await start();
    const [leader, hidden, seen] = await openSome(browser(), app, 3, `ticks(); listen('ada')`);
    await hidden!.evaluate(`void look('hidden')`);
    await seen!.evaluate(`void look('visible')`);
    for (let asked = 0; asked < 8; asked++) await seen!.evaluate('ask()');
    expect((await until(seen!, 'true')).steals).toBe(0);
    const goOn = await stopProcessOf(leader);
    for (let ticks = 0; ticks < 8; ticks++) await hidden!.evaluate('tick()');
    await publish(app, 1);
    await eventually(async () => {
      await seen!.evaluate('tick()');
      return (await until(seen!, 'true')).events.length > 0;
    });
    for (const tab of [hidden!, seen!]) expect(await events(tab, 1)).toEqual(upTo(1));
    expect((await until(hidden!, 'true')).steals).toBe(0);
    goOn();
    await untilConnections(app.hub, 1);
    expect(await events(leader, 1)).toEqual(upTo(1));
  });

  it('go on without one that is frozen, which gets what it has missed', async () => {
    const app = await start();
    const [leader, other] = await openSome(browser(), app, 2, `listen('ada')`);
    await leader.evaluate(`void document.dispatchEvent(new Event('freeze'))`);
    await publish(app, 1, 2);
    expect(await events(other!, 2)).toEqual(upTo(2));
    expect((await until(leader, 'true')).events).toEqual([]);
    await leader.evaluate(`void document.dispatchEvent(new Event('resume'))`);
    expect(await events(leader, 2)).toEqual(upTo(2));
    await other!.close();
    await publish(app, 3);
    expect(await events(leader, 3)).toEqual(upTo(3));
    await untilConnections(app.hub, 1);
  });

  it('do not wait for one that takes its time, which gets everything all the same', async () => {
    const app = await start();
    const [leader] = await openSome(browser(), app, 1, `listen('ada')`);
    const slow = await open(browser(), app, 'wait(); loop()');
    const many = 600;
    await publish(app, ...Array.from({ length: many }, (_, i) => i + 1));
    expect(await events(leader, many)).toEqual(upTo(many));
    await slow.evaluate('goOn()');
    expect(await events(slow, many)).toEqual(upTo(many));
    await untilConnections(app.hub, 1);
    await publish(app, many + 1);
    for (const tab of [leader, slow]) expect(await events(tab, many + 1)).toEqual(upTo(many + 1));
  });

  it('get the snapshot of a channel, also one that comes later, and what comes meanwhile once', async () => {
    const app = await start();
    const boards = app.app.get(Boards);
    const say = async (last: number): Promise<void> => {
      while (boards.said.length < last) await boards.say(app.hub, boards.said.length + 1);
    };
    await say(2);
    const first = await open(browser(), app, `join('boards/a')`);
    expect(await events(first, 2)).toEqual(upTo(2));
    await say(4);
    const [later] = await Promise.all([open(browser(), app, `join('boards/a')`), say(40)]);
    await say(50);
    for (const tab of [first, later]) expect(await events(tab, 50)).toEqual(upTo(50));
    await untilConnections(app.hub, 1);
  });

  it('show the state of the connection, and go on when the server is back', async () => {
    const app = await start();
    const tabs = await openSome(browser(), app, 2, `listen('ada')`);
    await app.close();
    for (const tab of tabs) await until(tab, `state === 'reconnecting'`);
    const again = await start({ port: app.port });
    for (const tab of tabs) await until(tab, `state === 'open'`);
    await publish(again, 1);
    for (const tab of tabs) expect((await until(tab, 'events.length === 1')).events).toEqual([1]);
    await again.hub.complete('news');
    for (const tab of tabs) await until(tab, `state === 'closed'`);
  });
});

describe('a page that Chromium keeps while another is shown', () => {
  const browser = engineOf(launchChromium);

  it('leads no more, and goes on where it was when it is shown again', async () => {
    const app = await start();
    const [leader, other] = await openSome(browser(), app, 2, `listen('ada')`);
    await publish(app, 1);
    for (const tab of [leader, other!]) await events(tab, 1);
    await leader.open(`${app.url}/elsewhere`);
    await publish(app, 2);
    expect(await events(other!, 2)).toEqual(upTo(2));
    await untilConnections(app.hub, 1);
    await other!.close();
    await untilConnections(app.hub, 0);
    await publish(app, 3);
    await leader.evaluate('history.back()');
    await eventually(() => leader.evaluate('isLoaded').then(Boolean, () => false));
    expect(await events(leader, 3)).toEqual(upTo(3));
    expect((await until(leader, 'true')).shown).toEqual([false, true]);
  });
});
