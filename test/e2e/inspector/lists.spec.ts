import { describe, expect, it } from '@jest/globals';
import { redisBackplane } from '../../../src/sse/backplanes/redis/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { RedisServer } from '../../support/redis-server.js';
import { describeOnRedis } from '../../support/shared-server.js';
import { untilConnections, untilSubscribers } from '../../support/sse-app.js';
import type { ChannelRow } from '../../../src/sse/inspector/channel-rows.js';
import type { ConnectionRow, ConnectionView } from '../../../src/sse/inspector/connection-rows.js';
import { startInspected, type Inspected } from './inspector-app.js';

interface Page<Row> {
  readonly total: number;
  readonly rows: readonly (Row & { readonly instance?: string })[];
  readonly fault?: string;
}

type Query = Readonly<Record<string, string>>;

/** The list of channels, and the names in it. */
async function channels(app: Inspected, query: Query = {}) {
  const page = await app.get<Page<ChannelRow>>('channels', query);
  return { ...page, names: page.rows.map(({ name }) => name) };
}

/** The list of connections, and the users in it. */
async function connections(app: Inspected, query: Query = {}) {
  const page = await app.get<Page<ConnectionRow>>('connections', query);
  return { ...page, users: page.rows.map(({ user }) => user) };
}

/** Publishes so many events of a size. */
async function publish(app: Inspected, channel: string, count: number, bytes = 1): Promise<void> {
  for (let n = 0; n < count; n++) await app.hub.publish(channel, { data: 'x'.repeat(bytes) });
}

describe('the list of channels', () => {
  it('is sorted by each of its columns', async () => {
    const app = await startInspected();
    await app.stream('any?channels=news,rooms/a', 'ada');
    await app.stream('any?channels=rooms/a', 'bob');
    await app.stream('any?channels=rooms/a,other', 'carl');
    await publish(app, 'news', 3, 100);
    await publish(app, 'rooms/a', 2, 500);
    await publish(app, 'other', 9);
    for (const [sort, up] of [
      ['name', ['news', 'other', 'rooms/a']],
      ['subscribers', ['news', 'other', 'rooms/a']],
      ['events', ['rooms/a', 'news', 'other']],
      ['bytes', ['other', 'news', 'rooms/a']],
      ['rate', ['rooms/a', 'news', 'other']],
    ] as const) {
      const { names } = await channels(app, { sort, order: 'up' });
      // The other two channels have one subscriber each, in any order.
      if (sort === 'subscribers') expect(names.at(-1)).toBe('rooms/a');
      else expect([sort, names]).toEqual([sort, up]);
      const { names: down } = await channels(app, { sort, order: 'down' });
      if (sort === 'subscribers') expect(down[0]).toBe('rooms/a');
      else expect([sort, down]).toEqual([sort, [...up].reverse()]);
    }
  });

  it('is filtered by part of a name or of a definition, a window at a time', async () => {
    const app = await startInspected();
    await app.stream('any?channels=rooms/a,rooms/b,news,ID', 'ada');
    expect((await channels(app, { text: 'OOMS/A' })).names).toEqual(['rooms/a']);
    expect((await channels(app, { text: ':ID' })).names).toEqual(['rooms/a', 'rooms/b']);
    expect((await channels(app, { text: 'id' })).names).toEqual(['ID', 'rooms/a', 'rooms/b']);
    expect(await channels(app, { text: 'none' })).toMatchObject({ total: 0, rows: [] });
    const window = { offset: '1', limit: '2' };
    expect(await channels(app, window)).toMatchObject({ total: 4, names: ['news', 'rooms/a'] });
  });

  it('has the log of each', async () => {
    const before = Date.now();
    const app = await startInspected();
    await app.stream('any?channels=empty,full', 'ada');
    await publish(app, 'full', 20);
    const { rows } = await channels(app);
    const [empty, full] = rows;
    expect(empty).toMatchObject({
      log: { events: 0, bytes: 0, oldestAt: null, newestAt: null, rate: 0, head: 0, state: 'absent' },
    });
    expect(full!.log).toEqual({
      ...{ events: 10, bytes: 10 * 'data: x\n\n'.length, head: 20, state: 'open' },
      ...{ oldestAt: expect.any(Number), newestAt: expect.any(Number), rate: expect.any(Number) },
    });
    const { oldestAt, newestAt, rate } = full!.log!;
    expect(oldestAt).toBeGreaterThanOrEqual(before);
    expect(newestAt).toBeGreaterThanOrEqual(oldestAt!);
    // The rate is that of the events that are kept, over the time since the oldest.
    expect(rate).toBeGreaterThan(0);
    expect(rate).toBeLessThanOrEqual(10);
  });

  it('has one that is completed, until its last client has read it', async () => {
    const app = await startInspected();
    const stream = await app.stream('news', 'ada');
    stream.pause();
    do await publish(app, 'news', 1, 200_000);
    while ((await connections(app, { state: 'backed up' })).total === 0);
    await app.hub.complete('news');
    expect((await channels(app)).rows).toMatchObject([{ name: 'news', log: { state: 'completed' } }]);
    stream.read();
    expect(await stream.ended()).toBe('ended');
    await untilConnections(app.hub, 0);
    expect((await channels(app)).rows).toEqual([]);
  });
});

describe('the list of connections', () => {
  it('is sorted by each of its columns', async () => {
    const app = await startInspected();
    const slow = await app.stream('any?channels=news,other', 'bob');
    slow.pause();
    await app.stream('any?channels=rooms/a,rooms/b,rooms/c', 'ada');
    await app.stream('even', 'carl');
    const list = (sort: string, order: string) => connections(app, { sort, order });
    let waiting = false;
    while (!waiting) {
      await publish(app, 'other', 1, 200_000);
      const [first] = (await list('lag', 'down')).rows;
      waiting = first!.lag > 1 && first!.waiting > 0;
    }
    for (const [sort, down] of [
      ['since', ['carl', 'ada', 'bob']],
      ['user', ['carl', 'bob', 'ada']],
      ['channels', ['ada', 'bob', 'carl']],
    ] as const) {
      expect([sort, (await list(sort, 'down')).users]).toEqual([sort, down]);
      expect([sort, (await list(sort, 'up')).users]).toEqual([sort, [...down].reverse()]);
    }
    for (const [sort, user, up] of [
      ['lag', 'bob', false],
      ['waiting', 'bob', false],
      ['path', 'carl', false],
    ] as const) {
      expect([sort, (await list(sort, 'down')).users[0]]).toEqual([sort, user]);
      expect([sort, (await list(sort, 'up')).users.indexOf(user) === 0]).toEqual([sort, up]);
    }
  });

  it('is filtered by user, path, address, channel, id and state', async () => {
    const app = await startInspected();
    await app.stream('any?channels=rooms/a,rooms/b,rooms/c,rooms/d', 'ada');
    const slow = await app.stream('news', 'Bob');
    const [{ id } = { id: '' }] = await app.hub.connections({ user: 'ada' });
    for (const [query, users] of [
      [{ text: 'bob' }, ['Bob']],
      [{ text: '/NEWS' }, ['Bob']],
      [{ text: 'rooms/d' }, ['ada']],
      [{ text: '127.0.0.1' }, ['Bob', 'ada']],
      [{ text: id }, ['ada']],
      [{ text: id.slice(0, -1) }, []],
      [{ channel: 'rooms/b' }, ['ada']],
      [{ channel: 'rooms/b', text: 'bob' }, []],
      [{ state: 'open' }, ['Bob', 'ada']],
      [{ state: 'opening' }, []],
    ] as const)
      expect([query, (await connections(app, query)).users]).toEqual([query, users]);
    slow.pause();
    do await publish(app, 'news', 1, 200_000);
    while ((await connections(app, { state: 'backed up' })).users.length === 0);
    expect((await connections(app, { state: 'backed up' })).users).toEqual(['Bob']);
    expect((await connections(app, { state: 'open' })).users).toEqual(['ada']);
  });

  it('has of each what there is, and the first of its channels', async () => {
    const before = Date.now();
    const app = await startInspected();
    await app.stream('any?channels=rooms/a,rooms/b,rooms/c,rooms/d', 'ada');
    const { rows } = await connections(app);
    const { here } = await app.get<{ here: string }>('settings');
    const { id, connectedAt } = (await app.hub.connections())[0]!;
    expect(rows).toEqual([
      {
        ...{ id, user: 'ada', path: '/any', address: '127.0.0.1', since: connectedAt.getTime() },
        ...{ channels: ['rooms/a', 'rooms/b', 'rooms/c'], channelCount: 4, state: 'open' },
        ...{ lag: 0, lagTime: 0, waiting: 0, instance: here },
      },
    ]);
    expect(rows[0]!.since).toBeGreaterThanOrEqual(before);
  });

  it('shows of a client that does not read how far behind it is, and for how long', async () => {
    const app = await startInspected();
    const stream = await app.stream('any?channels=news,typing', 'ada', '999.zzzzzzzz');
    stream.pause();
    let view: ConnectionView | undefined;
    const [{ id } = { id: '' }] = await app.hub.connections();
    do {
      await publish(app, 'news', 1, 200_000);
      view = await app.get<ConnectionView>(`connections/${id}`);
    } while (view.lag < 2);
    expect(view).toMatchObject({ state: 'backed up', brought: '999.zzzzzzzz' });
    expect(view.lagTime).toBeGreaterThanOrEqual(0);
    expect(view.lagTime).toBeLessThan(60_000);
    const [news, typing] = view.streams;
    expect(news).toMatchObject({ channel: 'news', lag: view.lag, head: news!.read + view.lag });
    expect(news!.headId).toBe((await app.hub.history('news')).events.at(-1)!.id);
    expect(news!.headId).not.toBe(news!.givenId);
    expect(typing).toMatchObject({
      channel: 'typing',
      definition: 'typing',
      lag: 0,
      headId: '',
      givenId: '',
    });
  });
});

describe('a response that begins', () => {
  it('is opening until its method has resolved, and has no user as long as nobody has asked', async () => {
    const app = await startInspected();
    await app.stream('news', 'ada');
    void app.stream('opening', 'bob').catch(() => undefined);
    await untilConnections(app.hub, 2);
    const { rows, total } = await connections(app, { state: 'opening' });
    expect(rows).toMatchObject([{ path: '/opening', state: 'opening', channels: [], lag: 0 }]);
    expect(total).toBe(1);
    expect((await connections(app, { state: 'open' })).users).toEqual(['ada']);
  });
});

describeWith('redis-server', 'the inspector of an instance whose backplane is away', (path) => {
  it('shows what it knows itself, and says that others are missing', async () => {
    const server = await RedisServer.start(path);
    whenTestEnds(() => server.dispose());
    const app = await startInspected({ backplane: redisBackplane({ connection: { url: server.url } }) });
    await app.stream('news', 'ada');
    const [{ id } = { id: '' }] = await app.hub.connections();
    await server.stop();
    const fault = expect.stringContaining('The other instances cannot be asked:');
    await eventually(async () => (await app.getOnce<Page<ConnectionRow>>('connections')).fault !== undefined);
    expect(await app.getOnce('connections')).toMatchObject({ total: 1, rows: [{ user: 'ada' }], fault });
    expect(await app.getOnce(`connections/${id}`)).toMatchObject({ user: 'ada' });
    // The unknown connection may be open on another instance.
    await expect(app.getOnce('connections/unknown')).rejects.toThrow(/^503: .+The connection may be there/);
    const { here } = await app.get<{ here: string }>('settings');
    const own = await app.getOnce<Page<ConnectionRow>>('connections', { instance: here });
    expect([own.total, own.fault]).toEqual([1, undefined]);
  });
});

describe('a channel', () => {
  it('is shown with its settings and members', async () => {
    const app = await startInspected();
    await app.stream('any?channels=typing', 'ada');
    expect(await app.get('channel', { name: 'typing' })).toMatchObject({
      ...{ name: 'typing', definition: 'typing', subscribers: 1, replay: 'none', slow: 'latest' },
      members: [{ user: 'ada' }],
    });
    const news = await app.get<object>('channel', { name: 'news' });
    expect(news).toMatchObject({ slow: 'gap', subscribers: 0 });
    expect(Object.keys(news)).not.toContain('members');
    // Nobody streams it.
    expect(await app.get('channel', { name: 'rooms/a' })).toMatchObject({ definition: 'rooms/:id' });
    await expect(app.get('channel', { name: 'x'.repeat(300) })).rejects.toThrow('400');
  });
});

describeOnRedis('the lists of several instances', (shared) => {
  it('are one list, in which a channel of several counts once', async () => {
    const backplane = shared();
    const [here, there] = [await startInspected({ backplane }), await startInspected({ backplane })];
    await here.stream('any?channels=a,b', 'ada');
    await there.stream('any?channels=b,c', 'bob');
    await there.stream('any?channels=c', 'carl');
    await untilSubscribers(there.hub, 'c', 2);
    await untilSubscribers(here.hub, 'b', 1);
    const query = { sort: 'subscribers', order: 'down' };
    const { total, rows } = await channels(here, query);
    expect(rows.map(({ name, subscribers }) => [name, subscribers]).sort()).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 2],
    ]);
    expect(total).toBe(3);
    expect(await channels(here, { offset: '1', limit: '1' })).toMatchObject({ total: 3, names: ['b'] });
    const up = { sort: 'user', order: 'up' };
    expect(await connections(here, { ...up, offset: '1', limit: '2' })).toMatchObject({
      total: 3,
      users: ['bob', 'carl'],
    });
    // Any of them is found from here, also a channel that is streamed there alone.
    expect(await here.get('channel', { name: 'c' })).toMatchObject({ subscribers: 2, log: { head: 0 } });
    const event = await there.hub.publish('c', { data: 1 });
    expect((await here.explain(event, {})).event).toMatchObject({ channel: 'c', offset: 1 });
    const [{ id } = { id: '' }] = await there.hub.connections({ user: 'bob' });
    expect(await here.get(`connections/${id}`)).toMatchObject({
      user: 'bob',
      instance: (await there.get<{ here: string }>('settings')).here,
    });
    await there.started.close();
    await untilConnections(here.hub, 1);
    expect((await channels(here)).names).toEqual(['a', 'b']);
  });
});
