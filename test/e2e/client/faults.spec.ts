import { describe, expect, it } from '@jest/globals';
import { lmdbBackplane } from '../../../src/sse/backplanes/lmdb/index.js';
import {
  connect,
  connectChannels,
  type ChannelsOptions,
  type ConnectionState,
  type Gap,
} from '../../../src/sse/client/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { eventually } from '../../support/eventually.js';
import { newInbox } from '../../support/inbox.js';
import { untilConnections } from '../../support/sse-app.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { startEndpointApp } from '../endpoint/endpoint-app.js';

const ROOM = 'rooms/a';

/** An application, and a way to it that has faults. */
async function start(
  sse: Parameters<typeof startEndpointApp>[0] = {},
  options: Parameters<typeof startEndpointApp>[1] = {},
) {
  const app = await startEndpointApp(
    { retry: 1, ...sse },
    { routes: { news: (hub) => hub.stream(ROOM) }, ...options },
  );
  const proxy = await TcpProxy.to(app.port);
  whenTestEnds(() => proxy.close());
  return { app, proxy, url: `http://127.0.0.1:${proxy.port}` };
}

/** A client of either kind, for the events of one channel. */
class Listening {
  readonly #events = newInbox<unknown>();
  readonly #states = newInbox<ConnectionState>();
  readonly gaps: Gap[] = [];

  constructor(kind: 'connect' | 'connectChannels', url: string) {
    const options: ChannelsOptions = { onGap: (gap) => this.gaps.push(gap) };
    const keep = (data: unknown): void => this.#events.push(data);
    const client =
      kind === 'connect' ? connect(`${url}/news`, options) : connectChannels(`${url}/events`, options);
    if ('channel' in client) client.channel(ROOM).on('message', keep);
    else client.on('message', keep);
    client.subscribe(() => this.#states.push(client.state));
    whenTestEnds(() => client.close());
  }

  /** Resolves with the next state of that kind. */
  until(kind: ConnectionState['kind']): Promise<ConnectionState[]> {
    return this.#states.until((state) => state.kind === kind);
  }

  /** The data of the next events. */
  take(count: number): Promise<unknown[]> {
    return this.#events.until((_, taken) => taken === count);
  }

  get events(): readonly unknown[] {
    return this.#events.all;
  }

  get kinds(): readonly string[] {
    return this.#states.all.map(({ kind }) => kind);
  }
}

/** Characters of one to four bytes, and several lines. */
const textOf = (number: number): string => `${number} é → 😀\nline`;

describe.each(['connect', 'connectChannels'] as const)('a client by %s() gets every event once', (kind) => {
  it('where its connection breaks in the middle: of a chunk, a line, a character, wherever', async () => {
    const { app, proxy, url } = await start();
    const client = new Listening(kind, url);
    await client.until('open');
    // Further than the bytes of one event.
    const texts = Array.from({ length: 100 }, (_, i) => textOf(i));
    for (const [bytes, text] of texts.entries()) {
      proxy.severAfter(bytes);
      await app.hub.publish(ROOM, { data: text });
      expect(await client.take(1)).toEqual([text]);
    }
    expect(client.events).toEqual(texts);
    expect(client.gaps).toEqual([]);
    expect(client.kinds.filter((one) => one === 'open').length).toBeGreaterThan(50);
  });

  it('where each byte comes by itself, and late', async () => {
    const { app, proxy, url } = await start();
    proxy.trickle();
    const client = new Listening(kind, url);
    await client.until('open');
    const texts = Array.from({ length: 10 }, (_, i) => textOf(i));
    for (const text of texts) await app.hub.publish(ROOM, { data: text });
    expect(await client.take(10)).toEqual(texts);
    expect(client.kinds).toEqual(['open']);
  });

  it('where nothing comes any more, and no end', async () => {
    const { app, proxy, url } = await start({ heartbeat: 50 });
    const client = new Listening(kind, url);
    await client.until('open');
    await app.hub.publish(ROOM, { data: 'before' });
    await client.take(1);
    proxy.cut();
    await client.until('reconnecting');
    await app.hub.publish(ROOM, { data: 'missed' });
    proxy.mend();
    expect(await client.take(1)).toEqual(['missed']);
    expect([client.events, client.gaps]).toEqual([['before', 'missed'], []]);
  });

  it('where the server is restarted, and keeps its histories', async () => {
    const backplane = lmdbBackplane({ path: await temporaryFolder() });
    const { app, url } = await start({ backplane });
    const client = new Listening(kind, url);
    await client.until('open');
    await app.hub.publish(ROOM, { data: 'before' });
    await client.take(1);
    await app.close();
    const { hub } = (await start({ backplane }, { port: app.port })).app;
    await hub.publish(ROOM, { data: 'missed' });
    expect(await client.take(1)).toEqual(['missed']);
    expect([client.events, client.gaps]).toEqual([['before', 'missed'], []]);
  });

  it('or is told of a gap, where the server is restarted and has forgotten', async () => {
    const { app, url } = await start();
    const client = new Listening(kind, url);
    await client.until('open');
    await app.hub.publish(ROOM, { data: 'before' });
    await client.take(1);
    await app.close();
    const { hub } = (await start({}, { port: app.port })).app;
    await untilConnections(hub, 1);
    await hub.publish(ROOM, { data: 'after' });
    expect(await client.take(1)).toEqual(['after']);
    expect(client.gaps).toMatchObject([{ channel: ROOM, reason: 'unknown' }]);
  });

  it('on the same connection, where the timers of a page that slept are late', async () => {
    const { app, url } = await start({ heartbeat: 50 });
    const client = new Listening(kind, url);
    await client.until('open');
    await app.hub.publish(ROOM, { data: 1 });
    await client.take(1);
    // Nothing runs meanwhile, the server neither: no byte has come when the timer fires.
    for (const end = performance.now() + 1_500; performance.now() < end;);
    await app.hub.publish(ROOM, { data: 2 });
    expect(await client.take(1)).toEqual([2]);
    expect(client.kinds).toEqual(['open']);
  });
});

it('channels go on where each was after a silence, in one request, and each tells its own gap', async () => {
  const { app, proxy, url } = await start({ heartbeat: 50, history: { count: 3 } });
  const requests: { readonly method: string; readonly body: Record<string, unknown> }[] = [];
  const states: string[] = [];
  const client = connectChannels(`${url}/events`, {
    fetch: async (request) => {
      const { method, url } = request as Request;
      if (url.endsWith('/events')) requests.push({ method, body: await (request as Request).clone().json() });
      return fetch(request);
    },
  });
  whenTestEnds(() => client.close());
  client.subscribe(() => states.push(client.state.kind));
  const rooms = ['rooms/a', 'rooms/b', 'rooms/c'].map((name) => {
    const got: unknown[] = [];
    const channel = client.channel(name, { onGap: ({ reason }) => got.push(reason) });
    channel.on('message', (data) => got.push(data));
    return { name, channel, got };
  });
  const publish = async (name: string, ...all: readonly number[]): Promise<void> => {
    for (const data of all) await app.hub.publish(name, { data });
  };
  await eventually(() => rooms.every(({ channel }) => channel.state.kind === 'joined'));
  for (const { name } of rooms) await publish(name, 1);
  await eventually(() => rooms.every(({ got }) => got.length === 1));
  const positions = Object.fromEntries(rooms.map(({ name, channel }) => [name, channel.lastEventId]));
  proxy.cut();
  await publish('rooms/a', 2, 3);
  await publish('rooms/b', 2, 3, 4, 5, 6);
  await eventually(() => states.includes('reconnecting'));
  proxy.mend();
  await publish('rooms/c', 2);
  await eventually(() => rooms.every(({ got }) => got.length > 1));
  for (const { name } of rooms) await publish(name, 7);
  await eventually(() => rooms.every(({ got }) => got.includes(7)));
  expect(rooms.map(({ got }) => got)).toEqual([
    [1, 2, 3, 7],
    [1, 'evicted', 4, 5, 6, 7],
    [1, 2, 7],
  ]);
  expect(requests.at(-1)).toEqual({ method: 'POST', body: { channels: positions } });
});
