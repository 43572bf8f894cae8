import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { build, type Plugin } from 'esbuild';
import type { NextFunction, Request, Response } from 'express';
import { AuthorizeChannel, defineChannel, SseModule, type ChannelAccess } from '../../src/sse/index.js';
import { whenTestEnds } from '../support/clean-up.js';
import { install, type Installed } from '../support/installed.js';
import { root } from '../support/process.js';
import { startSseApp, untilConnections, untilSubscribers, type SseApp } from '../support/sse-app.js';
import { listen } from '../support/open-stream.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { PATIENCE } from './engines/browser-engine.js';
import { engineOf, engines } from './engines/engine-of.js';
import type { Shown } from './react/in-page.js';
import type { RoomProps } from './react/room.js';

/** The package as it was built, in place of its source. */
const built: Plugin = {
  name: 'built',
  setup: ({ onResolve }) =>
    onResolve({ filter: /\/src\/sse\// }, ({ path }) => ({
      path: join(root, path.replace(/^.*\/src\/sse\//, 'dist/sse/')),
    })),
};

/** Where React is, in place of the version of the lock file. */
type Alias = Record<string, string>;

async function bundle(file: string, platform: 'browser' | 'node', alias: Alias): Promise<string> {
  const { outputFiles } = await build({
    ...{
      entryPoints: [join(root, 'test/browser/react', file)],
      bundle: true,
      write: false,
      plugins: [built],
      alias,
    },
    ...{ platform, format: platform === 'node' ? 'cjs' : 'iife', target: 'es2022', logLevel: 'silent' },
    define: { 'process.env.NODE_ENV': '"development"' },
  });
  return outputFiles[0]!.text;
}

let script: string;
let render: (props: RoomProps) => string;

/** Has the pages that follow use this React. */
async function useReact(alias: Alias = {}): Promise<void> {
  const [inPage, onServer] = await Promise.all([
    bundle('in-page.ts', 'browser', alias),
    bundle('on-server.ts', 'node', alias),
  ]);
  script = inPage;
  const module = { exports: {} as { render: typeof render } };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- it was bundled above
  new Function('module', 'exports', 'require', onServer)(
    module,
    module.exports,
    createRequire(import.meta.url),
  );
  ({ render } = module.exports);
}

interface Served extends SseApp {
  /** The requests of the page, as `POST /events`. */
  readonly requests: string[];
}

const Room = defineChannel('rooms/:room', {
  history: { count: 10_000 },
  presence: { events: true, grace: 0 },
});
const lobby = Room.of({ room: 'lobby' });

class Access {
  @AuthorizeChannel(Room)
  mayEnter(_access: ChannelAccess<{ room: string }>): boolean {
    return true;
  }
}

async function serve(): Promise<Served> {
  const requests: string[] = [];
  const app = await startSseApp({
    sse: {
      ...{ retry: 20, endpoint: { path: 'events' } },
      identify: ({ headers }: Request) =>
        headers['x-user'] ? { user: String(headers['x-user']) } : undefined,
    },
    imports: [SseModule.forFeature([Room])],
    providers: [Access],
    routes: { route: (hub) => hub.stream('news') },
    configure: (app) =>
      app.use((request: Request, response: Response, next: NextFunction) => {
        const { pathname } = new URL(request.url, 'http://localhost');
        if (pathname === '/script.js') return response.type('js').send(script);
        if (pathname.endsWith('.html'))
          return response.type('html')
            .send(`<!doctype html><title>Hooks</title><link rel="icon" href="data:," /><script src="/script.js"></script>
            <body><div id="root">${request.query.html as string}</div></body>`);
        requests.push(`${request.method} ${pathname.replace(/[\w-]{20,}/, ':id')}`);
        return next();
      }),
  });
  return { ...app, requests };
}

/** A browser, with a page of the app in it. */
function pages(launch: (typeof engines)[number][1]) {
  const browser = engineOf(launch);
  const evaluate = (expression: string) => browser().evaluate(`inPage.${expression}`);
  return {
    async open(url: string, html = ''): Promise<void> {
      whenTestEnds(() => browser().open('about:blank'));
      await browser().open(`${url}/page.html?html=${encodeURIComponent(html)}`);
    },
    evaluate,
    show: (shown: Shown) => evaluate(`show(${JSON.stringify(shown)})`),
    /** Waits until something is so in the page. @returns what was recorded */
    until: (isSo: string) =>
      evaluate(`until(() => ${isSo}, ${PATIENCE})`) as Promise<{
        readonly heard: string[];
        readonly renders: number;
        readonly frames: number;
        readonly complaints: string[];
      }>,
    /** Waits for the text of an element. */
    untilText: (id: string, text: string) =>
      evaluate(
        `until(() => document.querySelector('#${id}')?.textContent === ${JSON.stringify(text)}, ${PATIENCE})`,
      ),
  };
}

const publish = async ({ hub }: SseApp, ...said: number[]): Promise<void> => {
  for (const data of said) await hub.publish(lobby, { data });
};

function itIsHydrated(page: ReturnType<typeof pages>): void {
  it('is hydrated, and misses nothing that came since it was rendered', async () => {
    const app = await serve();
    await publish(app, 1, 2);
    const { events, position } = await app.hub.history(lobby);
    const props = { id: 'a', room: 'lobby', initial: events.map(({ data }) => data), lastEventId: position };
    const html = render(props);
    expect(html).toBe('<p id="a" title="joining">1 2</p>');
    await publish(app, 3);
    await page.open(app.url, html);
    await publish(app, 4);
    await page.evaluate(`hydrate(${JSON.stringify(props)})`);
    await page.untilText('a', '1 2 3 4');
    await publish(app, 5);
    await page.untilText('a', '1 2 3 4 5');
    // StrictMode mounts twice, and the server sees one stream.
    expect(app.requests).toEqual(['POST /events']);
    expect((await page.until('true')).complaints).toEqual([]);
  });
}

describe.each(engines)('a component in %s', (_name, launch) => {
  beforeAll(() => useReact());
  itIsHydrated(pages(launch));
});

/** What holds with each version of React. */
function itHolds(page: ReturnType<typeof pages>): void {
  it('share one stream, and leave their channel when the last of them is unmounted', async () => {
    const app = await serve();
    await page.open(app.url);
    const [a, b, c] = ['a', 'b', 'c'].map((id) => ({ id, room: 'lobby' }));
    const other = { id: 'other', room: 'other' };
    await page.show({ rooms: [a!, b!, other] });
    await page.until(`['a', 'b', 'other'].every((id) => document.getElementById(id)?.title === 'joined')`);
    await publish(app, 1);
    for (const id of ['a', 'b']) await page.untilText(id, '1');
    expect(app.requests).toEqual(['POST /events']);
    // Another one in the place of the last: the channel is not left in between.
    await page.show({ rooms: [c!, other] });
    await page.until(`document.getElementById('c')?.title === 'joined'`);
    await publish(app, 2);
    await page.untilText('c', '2');
    await page.show({ rooms: [other] });
    await untilSubscribers(app.hub, lobby, 0);
    await untilConnections(app.hub, 1);
    await page.evaluate('unmount()');
    await untilConnections(app.hub, 0);
  });

  it('have the handlers of the newest render called, and join no channel again for them', async () => {
    const app = await serve();
    await page.open(app.url);
    const show = (id: string, types: string[]) =>
      page.show({ rooms: [{ id: 'a', room: 'lobby', label: id }], route: { url: '/route', types } });
    await show('first', ['message']);
    await page.until(
      `document.getElementById('a')?.title === 'joined' && document.getElementById('count').title === 'open'`,
    );
    await publish(app, 1);
    await page.until('inPage.record.heard.length === 1');
    await show('second', ['message', 'other']);
    await publish(app, 2);
    await app.hub.publish('news', { data: 1 });
    await app.hub.publish('news', { type: 'other', data: 2 });
    await page.untilText('count', '2');
    const { heard } = await page.until('inPage.record.heard.length === 2');
    expect(heard).toEqual(['first:1', 'second:2']);
    expect(app.requests.sort()).toEqual(['GET /route', 'POST /events']);
  });

  it.each(['channel', 'route'])(
    'render once a frame at most, however many events of a %s come',
    async (of) => {
      const app = await serve();
      await page.open(app.url);
      const route = { url: '/route', types: ['message'] };
      await page.show(of === 'channel' ? { rooms: [{ id: 'a', room: 'lobby' }] } : { route });
      await untilConnections(app.hub, 1);
      await page.until(`['joined', 'open'].includes(document.querySelector('#a, #count').title)`);
      const before = (await page.until('(inPage.countFrames(), true)')).renders;
      for (let said = 1; said <= 1_000; said++) {
        await app.hub.publish(of === 'channel' ? lobby : 'news', { data: said });
        // As much time as the events need to arrive one by one.
        if (said % 10 === 0) await fetch(`${app.url}/page.html`);
      }
      const last = of === 'channel' ? `'999 1000'` : `'1000'`;
      const { renders, frames } = await page.until(
        `document.querySelector('#a, #count').textContent.endsWith(${last})`,
      );
      // StrictMode renders twice.
      expect((renders - before) / 2).toBeLessThanOrEqual(frames + 1);
      expect(renders).toBeGreaterThan(before);
    },
  );

  it('list the members of a channel', async () => {
    const app = await serve();
    await page.open(app.url);
    await page.show({ user: 'mira', members: 'lobby', rooms: [{ id: 'a', room: 'lobby' }] });
    await page.untilText('members', 'mira');
    const jonas = await listen(`${app.url}/events?channel=${encodeURIComponent(lobby)}`, {
      headers: { 'x-user': 'jonas' },
    });
    await page.untilText('members', 'mira jonas');
    jonas.close();
    await page.untilText('members', 'mira');
    expect(app.requests.filter((request) => request.startsWith('POST'))).toEqual(['POST /events']);
  });

  it('show the state of the connection, which may be one of the page', async () => {
    const app = await serve();
    const proxy = await TcpProxy.to(app.port);
    whenTestEnds(() => proxy.close());
    await page.open(`http://127.0.0.1:${proxy.port}`);
    await page.show({ own: true, rooms: [{ id: 'a', room: 'lobby' }] });
    await page.untilText('state', 'open');
    proxy.sever();
    await page.untilText('state', 'reconnecting');
    proxy.mend();
    await page.untilText('state', 'open');
    await publish(app, 1);
    await page.untilText('a', '1');
    await page.show({ url: '/nowhere', rooms: [{ id: 'a', room: 'lobby' }] });
    await page.untilText('state', 'closed');
  });
}

describe('components', () => {
  const page = pages(engines[0][1]);
  beforeAll(() => useReact());
  itHolds(page);

  it('that <Activity> hides leave, and go on from where they were', async () => {
    const app = await serve();
    await page.open(app.url);
    const shown = { rooms: [{ id: 'a', room: 'lobby' }], route: { url: '/route', types: ['message'] } };
    await page.show(shown);
    await page.until(`document.getElementById('a')?.title === 'joined'`);
    await publish(app, 1);
    await app.hub.publish('news', { data: 1 });
    await page.untilText('a', '1');
    await page.untilText('count', '1');
    await page.show({ ...shown, mode: 'hidden' });
    await untilConnections(app.hub, 0);
    await publish(app, 2, 3);
    await app.hub.publish('news', { data: 2 });
    await page.show({ ...shown, mode: 'visible' });
    await page.untilText('a', '1 2 3');
    await page.untilText('count', '2');
  });
});

describe('components of React 18', () => {
  const page = pages(engines[0][1]);
  let react: Installed;
  beforeAll(async () => {
    react = await install({ react: '18.3.1', 'react-dom': '18.3.1' });
    await useReact({ react: react.path('react'), 'react-dom': react.path('react-dom') });
  });
  afterAll(() => react.remove());

  it('are of React 18', async () => {
    const app = await serve();
    await page.open(app.url);
    expect(await page.evaluate('version')).toBe('18.3.1');
  });
  itIsHydrated(page);
  itHolds(page);
});
