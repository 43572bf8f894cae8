import { describe, expect, it } from '@jest/globals';
import { connectChannels, type ChannelClient, type ChannelsOptions } from '../../../src/sse/client/index.js';
import {
  defineChannel,
  SseModule,
  SseSnapshot,
  type,
  type SnapshotOf,
  type SnapshotRequest,
} from '../../../src/sse/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { eventually } from '../../support/eventually.js';
import { newInbox } from '../../support/inbox.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { startEndpointApp } from '../endpoint/endpoint-app.js';

const start = (
  sse: Parameters<typeof startEndpointApp>[0] = {},
  options: Parameters<typeof startEndpointApp>[1] = {},
) => startEndpointApp({ retry: 1, ...sse }, options);

function connected(url: string, options: ChannelsOptions = {}) {
  const client = connectChannels(`${url}/events`, options);
  whenTestEnds(() => client.close());
  return client;
}

/** The data of the events of a channel. */
class Taken {
  readonly #events = newInbox<unknown>();

  constructor(readonly channel: ChannelClient) {
    channel.on('message', (data) => this.#events.push(data));
  }

  take(count: number): Promise<unknown[]> {
    return this.#events.until((_, taken) => taken === count);
  }

  get all(): readonly unknown[] {
    return this.#events.all;
  }

  until(kind: string): Promise<void> {
    return eventually(() => this.channel.state.kind === kind);
  }
}

const channelsOf = async ({ hub }: Awaited<ReturnType<typeof start>>): Promise<string[][]> =>
  (await hub.connections()).map(({ channels }) => [...channels].sort());

/** A way to the application that can be cut. */
async function proxied({ port }: Awaited<ReturnType<typeof start>>) {
  const proxy = await TcpProxy.to(port);
  whenTestEnds(() => proxy.close());
  return { proxy, url: `http://127.0.0.1:${proxy.port}` };
}

describe('channels of a client', () => {
  it('come over one connection, each to those that asked for it', async () => {
    const app = await start();
    const client = connected(app.url);
    const [a, b, typing] = ['rooms/a', 'rooms/b', 'typing/a'].map((name) => new Taken(client.channel(name)));
    await Promise.all([a, b, typing].map((one) => one!.until('joined')));
    await app.hub.publish('rooms/a', { data: 1 });
    await app.hub.publish('typing/a', { data: 2 });
    await app.hub.publish('rooms/b', { data: 3 });
    expect([await a!.take(1), await b!.take(1), await typing!.take(1)]).toEqual([[1], [3], [2]]);
    expect(await channelsOf(app)).toEqual([['rooms/a', 'rooms/b', 'typing/a']]);
  });

  it('are joined later and left while the stream goes on, when the last has closed them', async () => {
    const app = await start();
    const client = connected(app.url);
    const a = new Taken(client.channel('rooms/a'));
    await a.until('joined');
    const b = client.channel('rooms/b');
    const again = client.channel('rooms/b');
    await eventually(() => b.state.kind === 'joined');
    b.close();
    const c = client.channel('rooms/c');
    await eventually(() => c.state.kind === 'joined');
    expect(await channelsOf(app)).toEqual([['rooms/a', 'rooms/b', 'rooms/c']]);
    again.close();
    await eventually(async () => (await channelsOf(app))[0]!.length === 2);
    expect(await channelsOf(app)).toEqual([['rooms/a', 'rooms/c']]);
    expect([b.state, c.state]).toEqual([{ kind: 'left' }, { kind: 'joined' }]);
  });

  it('go on after a reconnect where each was', async () => {
    const app = await start();
    const { proxy, url } = await proxied(app);
    const client = connected(url);
    const [a, b] = ['rooms/a', 'rooms/b'].map((name) => new Taken(client.channel(name)));
    await Promise.all([a!.until('joined'), b!.until('joined')]);
    await app.hub.publish('rooms/a', { data: 'a1' });
    await app.hub.publish('rooms/b', { data: 'b1' });
    await Promise.all([a!.take(1), b!.take(1)]);
    proxy.sever();
    await app.hub.publish('rooms/a', { data: 'a2' });
    await app.hub.publish('rooms/b', { data: 'b2' });
    proxy.mend();
    expect([await a!.take(1), await b!.take(1)]).toEqual([['a2'], ['b2']]);
  });

  it('begin anew when they are joined again', async () => {
    const app = await start({ replay: 'all' });
    await app.hub.publish('rooms/a', { data: 1 });
    const client = connected(app.url);
    client.channel('rooms/b');
    const first = new Taken(client.channel('rooms/a'));
    await first.take(1);
    first.channel.close();
    await eventually(async () => (await channelsOf(app))[0]?.length === 1);
    expect(await new Taken(client.channel('rooms/a')).take(1)).toEqual([1]);
  });

  it('give the past again to those who close a channel and ask for it in one turn', async () => {
    const app = await start({ replay: 'all' });
    await app.hub.publish('rooms/a', { data: 1 });
    const client = connected(app.url);
    const first = new Taken(client.channel('rooms/a'));
    await first.take(1);
    first.channel.close();
    const again = new Taken(client.channel('rooms/a'));
    expect(await again.take(1)).toEqual([1]);
    await app.hub.publish('rooms/a', { data: 2 });
    expect(await again.take(1)).toEqual([2]);
    expect(first.all).toEqual([1]);
  });

  it('give somebody who comes later the past as well, and nobody an event twice', async () => {
    const app = await start({ replay: 'all' });
    await app.hub.publish('rooms/a', { data: 1 });
    const client = connected(app.url);
    const first = new Taken(client.channel('rooms/a'));
    await first.take(1);
    const later = new Taken(client.channel('rooms/a'));
    const numbers = [2, 3, 4, 5, 6];
    for (const data of numbers) await app.hub.publish('rooms/a', { data });
    expect(await first.take(5)).toEqual(numbers);
    expect(await later.take(6)).toEqual([1, ...numbers]);
    await eventually(async () => (await app.hub.connections()).length === 1);
    await app.hub.publish('rooms/a', { data: 7 });
    expect([await first.take(1), await later.take(1)]).toEqual([[7], [7]]);
  });

  it('go on when a loop has taken what two streams waited for', async () => {
    const app = await start({ replay: 'all', history: { count: 1_000 } });
    const many = Array.from({ length: 300 }, (_, i) => i);
    for (const data of many) await app.hub.publish('rooms/a', { data });
    await app.hub.publish('rooms/b', { data: 'b1' });
    const client = connected(app.url);
    const b = new Taken(client.channel('rooms/b'));
    await b.take(1);
    const loop = client.channel('rooms/a')[Symbol.asyncIterator]();
    expect((await loop.next()).value).toMatchObject({ data: 0 });
    const later = new Taken(client.channel('rooms/b'));
    for (const data of many.slice(1)) expect((await loop.next()).value).toMatchObject({ data });
    expect(await later.take(1)).toEqual(['b1']);
    await app.hub.publish('rooms/b', { data: 'b2' });
    expect([await b.take(1), await later.take(1)]).toEqual([['b2'], ['b2']]);
  });

  it('begin where they are asked to, whatever was asked before in the same turn', async () => {
    const app = await start({ replay: 'all' });
    const ids: string[] = [];
    for (const data of [1, 2, 3]) ids.push(await app.hub.publish('rooms/a', { data }));
    const client = connected(app.url);
    await eventually(() => client.state.kind === 'open');
    client.channel('rooms/a', { lastEventId: ids[2]! }).close();
    expect(await new Taken(client.channel('rooms/a', { lastEventId: ids[0]! })).take(2)).toEqual([2, 3]);
  });

  it('are left by those that a listener closes', async () => {
    const app = await start();
    const client = connected(app.url);
    const one = client.channel('rooms/a');
    const other = new Taken(client.channel('rooms/a'));
    one.on('message', () => {
      one.close();
      other.channel.close();
    });
    await other.until('joined');
    await app.hub.publish('rooms/a', { data: 1 });
    await eventually(async () => (await channelsOf(app))[0]?.length === 0);
    expect(other.all).toEqual([]);
  });

  it('are joined by another stream where the answer to a join does not come', async () => {
    const app = await start();
    let joins = 0;
    const client = connected(app.url, {
      timeout: 500,
      fetch: (request) =>
        (request as Request).url.endsWith('/channels') && ++joins === 1
          ? new Promise<Response>(() => undefined)
          : fetch(request),
    });
    await eventually(() => client.state.kind === 'open');
    await new Taken(client.channel('rooms/a')).until('joined');
    expect(joins).toBe(1);
  });

  it('are refused one by one where a snapshot fails, and the others go on', async () => {
    class Broken {
      @SseSnapshot('rooms/torn')
      now(): never {
        throw new Error('The database is away.');
      }
    }
    const app = await start({}, { providers: [Broken] });
    const client = connected(app.url);
    const names = ['rooms/a', 'rooms/torn', 'rooms/b'];
    const all = names.map((name) => client.channel(name));
    await eventually(() => all.every(({ state }) => state.kind !== 'joining'));
    expect(all.map(({ state }) => state.kind)).toEqual(['joined', 'refused', 'joined']);
  });

  it('are refused to somebody who comes later where the snapshot fails, and asked for no more', async () => {
    const Torn = defineChannel('rooms/torn', { events: { message: type<number>() } });
    let asked = 0;
    class Sums {
      @SseSnapshot(Torn)
      now(): SnapshotOf<number> {
        if (++asked > 1) throw new Error('The database is away.');
        return { state: 1 };
      }
    }
    const app = await start({}, { providers: [Sums], imports: [SseModule.forFeature([Torn])] });
    await app.hub.publish(Torn.of(), { data: 1 });
    let requests = 0;
    const client = connected(app.url, { fetch: (request) => (requests++, fetch(request)) });
    const first = client.channel(Torn.of());
    const folded = first.fold(0, (state) => state);
    await eventually(() => folded.value === 1 && first.state.kind === 'joined');
    const later = client.channel(Torn.of());
    await eventually(() => later.state.kind === 'refused');
    const made = requests;
    await app.hub.publish(Torn.of(), { data: 2 });
    await eventually(async () => (await app.hub.connections()).length === 1);
    expect([first.state.kind, requests]).toEqual(['joined', made]);
    expect(made).toBeLessThan(6);
  });

  it('say why they are denied, and others go on', async () => {
    const app = await start();
    const client = connected(app.url, { headers: { 'x-user': 'ada' } });
    const secret = new Taken(client.channel('rooms/secret'));
    await secret.until('denied');
    expect(secret.channel.state).toEqual({ kind: 'denied', reason: 'forbidden' });
    const open = new Taken(client.channel('rooms/a'));
    await open.until('joined');
    const late = new Taken(client.channel('rooms/secret'));
    await late.until('denied');
    app.access.closed.add('rooms/a');
    await app.hub.revoke('ada', 'rooms/a');
    await open.until('denied');
    expect(open.channel.state).toEqual({ kind: 'denied', reason: 'revoked' });
    app.access.closed.clear();
    await new Taken(client.channel('rooms/a')).until('joined');
    expect(client.state).toEqual({ kind: 'open' });
  });

  it('are refused where there are too many, and the others go on', async () => {
    const app = await start({ limits: { channelsPerConnection: 2 } });
    const client = connected(app.url);
    const [a, b] = ['rooms/a', 'rooms/b'].map((name) => new Taken(client.channel(name)));
    await Promise.all([a!.until('joined'), b!.until('joined')]);
    const c = new Taken(client.channel('rooms/c'));
    await c.until('refused');
    expect(c.channel.state).toMatchObject({ message: expect.stringContaining('at most 2 channels') });
    await app.hub.publish('rooms/b', { data: 1 });
    expect(await b!.take(1)).toEqual([1]);
  });

  it('that fit are streamed, of many that are asked for at once, and those that cannot be are told', async () => {
    const app = await start({ limits: { channelsPerConnection: 3 } });
    const client = connected(app.url);
    const names = ['rooms/a', '', 'rooms/b', 'rooms/c', 'rooms/d'];
    const all = names.map((name) => client.channel(name));
    await eventually(() => all.every(({ state }) => state.kind !== 'joining'));
    expect(all.map(({ state }) => state.kind)).toEqual(['joined', 'refused', 'joined', 'joined', 'refused']);
    expect(client.state).toEqual({ kind: 'open' });
  });

  it('are many: 200, joined in one request', async () => {
    const app = await start();
    const client = connected(app.url);
    const all = Array.from({ length: 200 }, (_, i) => client.channel(`rooms/${i}`));
    await eventually(() => all.every(({ state }) => state.kind === 'joined'));
    expect((await channelsOf(app))[0]).toHaveLength(200);
  });

  it('have a state that a snapshot begins and events change', async () => {
    const Counter = defineChannel('rooms/:room', {
      events: { message: type<number>() },
      history: { count: 2 },
    });
    const sum: SnapshotOf<number> = { state: 0 };
    class Sums {
      @SseSnapshot(Counter)
      now(_request: SnapshotRequest<{ room: string }>): SnapshotOf<number> {
        return { ...sum };
      }
    }
    const app = await start({}, { providers: [Sums], imports: [SseModule.forFeature([Counter])] });
    const name = Counter.of({ room: 'sum' });
    const add = async (data: number): Promise<void> => {
      const after = await app.hub.publish(name, { data });
      Object.assign(sum, { state: sum.state + data, after });
    };
    await add(1);
    await add(2);
    const client = connected(app.url);
    const folded = client.channel(name).fold(0, (state, { data }) => state + data);
    await eventually(() => folded.value === 3);
    await add(4);
    await eventually(() => folded.value === 7);
    const later = client.channel(name).fold(0, (state, { data }) => state + data);
    await eventually(() => later.value === 7);
    await add(8);
    await eventually(() => folded.value === 15 && later.value === 15);
  });

  it('come one after the other to a loop, which ends with the client', async () => {
    const app = await start({ replay: 'all' });
    await app.hub.publish('rooms/a', { data: 1 });
    await app.hub.publish('rooms/a', { data: 2 });
    const client = connected(app.url);
    const got: unknown[] = [];
    for await (const { data, channel, id } of client.channel('rooms/a')) {
      got.push([data, channel, id.startsWith('rooms%2Fa=')]);
      if (data === 2) client.close();
    }
    expect(got).toEqual([
      [1, 'rooms/a', true],
      [2, 'rooms/a', true],
    ]);
  });

  it('end with the reason where the address streams no channels by name', async () => {
    const app = await start({}, { routes: { plain: (hub) => hub.stream('news') } });
    const client = connectChannels(`${app.url}/plain`);
    whenTestEnds(() => client.close());
    client.channel('rooms/a');
    await eventually(() => client.state.kind === 'closed');
    expect(client.state).toMatchObject({ reason: 'refused', status: 404 });
  });
});
