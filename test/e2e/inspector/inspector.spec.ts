import { Inject, Injectable, Module, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { SseInspectorModule } from '../../../src/sse/inspector/index.js';
import { Inspector } from '../../../src/sse/inspector/inspector.js';
import { adapters } from '../../support/adapters.js';
import { listen } from '../../support/open-stream.js';
import { describeOnRedis } from '../../support/shared-server.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { untilConnections, untilSubscribers } from '../../support/sse-app.js';
import { startInspected, type Inspected } from './inspector-app.js';

interface Rows {
  readonly total: number;
  readonly rows: readonly {
    readonly id: string;
    readonly user?: string;
    readonly name?: string;
    readonly subscribers?: number;
  }[];
}

const users = ({ rows }: Rows): (string | undefined)[] => rows.map(({ user }) => user);

/** Opens streams of `news`, one a user. */
async function openFor(app: Inspected, ...names: string[]): Promise<void> {
  for (const name of names) await app.stream('news', name);
}

@Injectable()
class Keys {
  readonly key = 'open';
}

@Module({ providers: [Keys], exports: [Keys] })
class KeysModule {}

@Injectable()
class InjectedGuard implements CanActivate {
  constructor(@Inject(Keys) private readonly keys: Keys) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: { 'x-key'?: string } }>();
    return headers['x-key'] === this.keys.key;
  }
}

@Injectable()
class KeyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<{ headers: { 'x-key'?: string } }>().headers['x-key'] === 'open';
  }
}

describe('SseInspectorModule.forRoot()', () => {
  it.each([
    [{ path: 'inspector' }, 'give it guards'],
    [{ path: 'inspector', guards: [] }, 'give it guards'],
    [{ path: 7, guards: 'none' }, 'The option "path"'],
    [{ path: 'inspector', guards: 'all' }, 'The option "guards"'],
    [{ path: 'inspector', guards: 'none', readOnly: 1 }, 'The option "readOnly"'],
    [{ path: 'inspector', guards: 'none', memory: { bytes: 0 } }, 'The option "memory.bytes"'],
    [{ path: 'inspector', guards: 'none', memory: { age: -1 } }, 'The option "memory.age"'],
    [{ path: 'inspector', guards: 'none', title: '' }, 'no option "title"'],
  ])('refuses %j', (options, message) => {
    expect(() => SseInspectorModule.forRoot(options as never)).toThrow(message);
  });
});

describe.each(adapters)('the inspector (%s)', (adapter) => {
  it('serves its page and files with a strict policy, and nothing else', async () => {
    const { url } = await startInspected({ adapter });
    const page = await fetch(`${url}/inspector`);
    const html = await page.text();
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain(
      "default-src 'none'; script-src 'self'; style-src 'self'",
    );
    expect(html).toContain('src="./inspector/page.js"');
    expect(html).not.toMatch(/<script(?![^>]*src=)|<style|style=|\son\w+=/);
    for (const [file, type] of [
      ['page.js', 'text/javascript'],
      ['page.css', 'text/css'],
      ['icon.svg', 'image/svg+xml'],
      ['NOTICES.txt', 'text/plain'],
    ]) {
      const response = await fetch(`${url}/inspector/${file!}`);
      expect([response.status, response.headers.get('content-type')]).toEqual([
        200,
        expect.stringContaining(type!),
      ]);
    }
    for (const file of ['index.html', 'x', '__proto__', '..%2finspector.js', '%2e%2e%2fbounded.js'])
      expect([file, (await fetch(`${url}/inspector/${file}`)).status]).toEqual([file, 404]);
  });

  it('lets nobody past its guards', async () => {
    const { url } = await startInspected({ adapter, inspector: { guards: [KeyGuard] } });
    for (const path of [
      '',
      '/page.js',
      '/api/settings',
      '/api/connections',
      '/api/figures',
      '/api/tail?channel=news',
      '/api/explain?event=1',
      '/api/recent',
    ]) {
      expect([path, (await fetch(`${url}/inspector${path}`)).status]).toEqual([path, 403]);
    }
    for (const path of ['publish', 'revoke', 'complete', 'purge'])
      expect((await fetch(`${url}/inspector/api/${path}`, { method: 'POST' })).status).toBe(403);
    expect((await fetch(`${url}/inspector/api/connections/x`, { method: 'DELETE' })).status).toBe(403);
    expect((await fetch(`${url}/inspector`, { headers: { 'x-key': 'open' } })).status).toBe(200);
  });

  it('has guards that need providers of other modules', async () => {
    const inspector = { guards: [InjectedGuard], imports: [KeysModule] };
    const { url } = await startInspected({ adapter, inspector });
    expect((await fetch(`${url}/inspector`)).status).toBe(403);
    expect((await fetch(`${url}/inspector`, { headers: { 'x-key': 'open' } })).status).toBe(200);
  });

  it('publishes, purges and completes', async () => {
    const app = await startInspected({ adapter });
    const stream = await app.stream('news', 'ada');
    const published = await app.post('publish', { channel: 'news', type: 'note', data: { a: 1 } });
    expect(published.status).toBe(201);
    expect(await stream.next()).toMatchObject({ type: 'note', data: { a: 1 } });
    expect((await app.post('purge', { channel: 'news' })).status).toBe(204);
    expect((await app.hub.history('news')).events).toEqual([]);
    expect((await app.post('complete', { channel: 'news' })).status).toBe(204);
    expect(await stream.ended()).toBe('ended');
    const refused = await app.post('publish', { channel: 'news', data: 1 });
    expect([refused.status, await refused.json()]).toEqual([
      409,
      expect.objectContaining({ code: 'CHANNEL_COMPLETED' }),
    ]);
  });

  it('takes nothing that a form of another site could send, and nothing that is no object', async () => {
    const app = await startInspected({ adapter });
    const body = JSON.stringify({ channel: 'news', data: 1 });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
      expect((await app.post('publish', body, type)).status).toBe(415);
    for (const wrong of ['[]', '"x"', 'null', '{', '{}', '{"channel":7}', '{"channel":""}'])
      expect([wrong, (await app.post('publish', wrong)).status]).toEqual([wrong, 400]);
    expect((await app.hub.history('news')).events).toEqual([]);
  });
});

describe('the inspector', () => {
  it('only shows where it is mounted so', async () => {
    const app = await startInspected({ inspector: { readOnly: true } });
    await app.stream('news', 'ada');
    for (const path of ['publish', 'revoke', 'complete', 'purge'])
      expect((await app.post(path, { channel: 'news', user: 'ada' })).status).toBe(403);
    const [{ id } = { id: '' }] = await app.hub.connections();
    expect((await fetch(`${app.url}/inspector/api/connections/${id}`, { method: 'DELETE' })).status).toBe(
      403,
    );
    expect(app.hub.stats().connections).toBe(1);
  });

  it('disconnects one connection, and takes a channel from a user', async () => {
    const app = await startInspected();
    const [ada, bob] = [await app.stream('both', 'ada'), await app.stream('news', 'bob')];
    const [{ id } = { id: '' }] = await app.hub.connections({ user: 'bob' });
    await fetch(`${app.url}/inspector/api/connections/${id}`, { method: 'DELETE' });
    expect(await bob.ended()).toBe('ended');
    expect((await app.post('revoke', { user: 'ada', channel: 'secrets' })).status).toBe(200);
    expect(await ada.next()).toMatchObject({ data: { channel: 'secrets', reason: 'revoked' } });
  });

  it('lists connections by text and state, sorted, a window at a time', async () => {
    const app = await startInspected();
    await openFor(app, 'carl', 'ada', 'bob');
    const list = (query: Record<string, string>): Promise<Rows> => app.get('connections', query);
    expect(users(await list({}))).toEqual(['bob', 'ada', 'carl']);
    expect(users(await list({ sort: 'user', order: 'up' }))).toEqual(['ada', 'bob', 'carl']);
    expect(await list({ sort: 'user', order: 'up', offset: '1', limit: '1' })).toMatchObject({
      total: 3,
      rows: [{ user: 'bob', path: '/news', channels: ['news'], state: 'open', lag: 0, waiting: 0 }],
    });
    expect(users(await list({ text: 'AD' }))).toEqual(['ada']);
    expect(users(await list({ state: 'backed up' }))).toEqual([]);
    expect(users(await list({ channel: 'secrets' }))).toEqual([]);
    await expect(list({ sort: 'id' })).rejects.toThrow('400');
    await expect(list({ limit: '100000' })).rejects.toThrow('400');
  });

  it('shows where a connection stands in its channels', async () => {
    const app = await startInspected();
    const stream = await app.stream('alerts', 'ada');
    const id = await app.hub.publish('news', { type: 'alert', data: 1 });
    await stream.next();
    const [info] = await app.hub.connections();
    const view = await app.get(`connections/${info!.id}`);
    expect(view).toMatchObject({
      user: 'ada',
      brought: '',
      streams: [
        {
          channel: 'news',
          state: 'reading',
          began: 0,
          read: 1,
          given: 1,
          head: 1,
          givenId: id,
          lag: 0,
          types: ['alert'],
        },
      ],
    });
    await expect(app.get('connections/unknown')).rejects.toThrow('404');
  });

  it('lists channels, and shows one with its log', async () => {
    const app = await startInspected();
    await openFor(app, 'ada', 'bob');
    await app.stream('secrets', 'ada');
    await app.hub.publish('news', { data: 'x' });
    const { rows } = await app.get<Rows>('channels', { sort: 'subscribers', order: 'down' });
    expect(rows.map(({ name, subscribers }) => [name, subscribers])).toEqual([
      ['news', 2],
      ['secrets', 1],
    ]);
    expect(await app.get('channel', { name: 'news' })).toMatchObject({
      subscribers: 2,
      history: { count: 10 },
      log: { events: 1, head: 1, state: 'open' },
    });
    expect(await app.get('channel', { name: 'elsewhere' })).toMatchObject({ subscribers: 0 });
  });

  it('tells figures of each second while somebody looks, and counts nothing otherwise', async () => {
    const app = await startInspected();
    const inspector = app.started.app.get(Inspector, { strict: false });
    const stream = await app.stream('news', 'ada');
    expect(inspector.isCounting).toBe(false);
    const figures = await listen(`${app.url}/inspector/api/figures`);
    expect(await figures.next()).toMatchObject({
      type: 'figures',
      data: { instances: [{ stats: { connections: 1 } }] },
    });
    expect(inspector.isCounting).toBe(true);
    await app.hub.publish('news', { data: 1 });
    await stream.next();
    let told: { published: number } = { published: 0 };
    while (told.published === 0) told = (await figures.next()).data.instances[0];
    expect(told).toMatchObject({
      published: 1,
      deliveries: 1,
      gaps: 0,
      latency: [expect.any(Number), expect.any(Number)],
    });
    // Its own streams are not among those that it shows.
    expect(users(await app.get<Rows>('connections'))).toEqual(['ada']);
    figures.close();
    await untilConnections(app.hub, 1);
    expect(inspector.isCounting).toBe(false);
  });

  it('tails a channel with a filter, without being a subscriber', async () => {
    const app = await startInspected();
    const first = await app.hub.publish('news', { type: 'note', data: 'old apple' });
    await app.hub.publish('news', { data: 'old pear' });
    const tail = await listen(`${app.url}/inspector/api/tail?channel=news&text=APPLE`);
    expect(await tail.next()).toMatchObject({
      type: 'events',
      data: { events: [{ offset: 1, id: first, type: 'note', data: 'old apple' }] },
    });
    for (let n = 0; n < 100; n++) await app.hub.publish('news', { data: `${n} apple` });
    await app.hub.publish('news', { data: 'pear' });
    let events = 0;
    let left = 0;
    while (events + left < 100) {
      const { data } = (await tail.next()) as { data: { events: unknown[]; left: number } };
      expect(data.events.length).toBeLessThanOrEqual(20);
      events += data.events.length;
      left += data.left;
    }
    expect(events + left).toBe(100);
    expect(await app.hub.subscriberCount('news')).toBe(0);
    await expect(listen(`${app.url}/inspector/api/tail?channel=${'x'.repeat(300)}`)).rejects.toThrow('400');
  });

  it('tails a channel without ids, and finds an event by its type', async () => {
    const app = await startInspected();
    const ofAll = await listen(`${app.url}/inspector/api/tail?channel=typing`);
    const ofType = await listen(`${app.url}/inspector/api/tail?channel=typing&text=ALERT`);
    const ofMessages = await listen(`${app.url}/inspector/api/tail?channel=typing&text=message`);
    await app.hub.publish('typing', { data: 'x'.repeat(3_000) });
    await app.hub.publish('typing', { type: 'alert', data: '' });
    const message = { id: '', type: 'message', data: 'x'.repeat(2_000) };
    const alert = { id: '', type: 'alert', data: '' };
    const got = async (tail: TestStream, count: number): Promise<unknown[]> => {
      const events: unknown[] = [];
      while (events.length < count) events.push(...(await tail.next()).data.events);
      return events;
    };
    expect(await got(ofAll, 2)).toMatchObject([message, alert]);
    expect(await got(ofType, 1)).toMatchObject([alert]);
    expect(await got(ofMessages, 1)).toMatchObject([message]);
  });

  it('tails from the newest events of the past, and no more of them than it says', async () => {
    const app = await startInspected({ history: 100 });
    for (let n = 1; n <= 80; n++) await app.hub.publish('news', { data: n });
    const tail = await listen(`${app.url}/inspector/api/tail?channel=news`);
    const { events, left } = (await tail.next()).data as { events: { offset: number }[]; left: number };
    expect([events.length, events[0]!.offset, events.at(-1)!.offset, left]).toEqual([50, 31, 80, 0]);
  });

  it('lists what went wrong lately', async () => {
    const app = await startInspected();
    await expect(app.stream('secrets', 'dora')).rejects.toThrow('403');
    const stream = await app.stream('news', 'ada', '999.zzzzzzzz');
    await stream.next();
    const { items } = await app.get<{ items: { kind: string; reason: string; who: { user: string } }[] }>(
      'recent',
    );
    const said = items.map(({ kind, reason, who }) => `${who.user} ${kind} ${reason}`);
    expect(said.sort()).toEqual(['ada gap unknown', 'dora denied forbidden', 'dora ended refused']);
  });
});

describeOnRedis('the inspector of several instances', (shared) => {
  it('shows all of them, or one', async () => {
    const backplane = shared();
    const [here, there] = [await startInspected({ backplane }), await startInspected({ backplane })];
    await openFor(here, 'ada');
    await openFor(there, 'bob', 'carl');
    await untilSubscribers(there.hub, 'news', 2);
    expect(users(await here.get<Rows>('connections', { sort: 'user', order: 'up' }))).toEqual([
      'ada',
      'bob',
      'carl',
    ]);
    const { here: name } = await there.get<{ here: string }>('settings');
    const query = { sort: 'user', order: 'up', instance: name };
    expect(users(await here.get<Rows>('connections', query))).toEqual(['bob', 'carl']);
    const { rows } = await here.get<Rows>('channels');
    expect(rows).toMatchObject([{ name: 'news', subscribers: 3 }]);
    const figures = await listen(`${here.url}/inspector/api/figures`);
    await figures.until(({ data }) => (data as { instances: unknown[] }).instances.length === 2);
  });
});
