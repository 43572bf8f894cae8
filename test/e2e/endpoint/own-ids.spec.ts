import { Controller, Inject, Injectable, Sse as StockSse, type Type } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { mergeMap, of } from 'rxjs';
import { AuthorizeChannel, SseHub, SseSnapshot } from '../../../src/sse/index.js';
import type { SnapshotOf, SnapshotRequest, SseModuleOptions } from '../../../src/sse/index.js';
import type { OpenStreamOptions, TestStream } from '../../../src/sse/testing/index.js';
import { blocksOf } from '../../support/blocks.js';
import { adapters } from '../../support/adapters.js';
import { startSseApp } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { change, idOf, openEndpoint, OWN_IDS, startEndpointApp } from './endpoint-app.js';

type Positions = Readonly<Record<string, string>>;

const rooms = (count: number): string[] => Array.from({ length: count }, (_, i) => `rooms/${i}`);
const without = (channels: readonly string[]): Positions =>
  Object.fromEntries(channels.map((channel) => [channel, '']));

/** The options of a request that has positions in its body. */
const posting = (body: unknown, options: OpenStreamOptions = {}): OpenStreamOptions => ({
  method: 'POST',
  ...options,
  headers: { ...OWN_IDS, 'content-type': 'application/json', ...options.headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

/** Where a client is in each channel, by all ids that it has had. */
function positionsOf(client: TestStream): Positions {
  const parts = blocksOf(client).flatMap(({ id }) => id?.split('&') ?? []);
  return Object.fromEntries(parts.map((part) => part.split('=').map(decodeURIComponent) as [string, string]));
}

async function openWith(
  url: string,
  channels: Positions,
  options?: OpenStreamOptions,
): Promise<{ client: TestStream; id: string }> {
  const client = await listen(`${url}/events`, posting({ channels }, options));
  return { client, id: idOf(await client.next()) };
}

/** Topics of one word are for everybody. */
function topicAccess(): Type {
  @Injectable()
  class TopicAccess {
    @AuthorizeChannel(':topic')
    maySee(): boolean {
      return true;
    }
  }
  return TopicAccess;
}

/** The state of every room is its name. */
function roomStates(): Type {
  @Injectable()
  class RoomStates {
    @SseSnapshot('rooms/:room')
    stateOf({ channel }: SnapshotRequest): SnapshotOf<string> {
      return { state: channel };
    }
  }
  return RoomStates;
}

describe('A stream with own ids', () => {
  it('names in each id the channel of the event alone, also one without history', async () => {
    const { hub, url } = await startEndpointApp();
    const { client } = await openWith(url, { 'rooms/a': '', 'rooms/b': '', 'typing/a': '' });
    expect(client.status).toBe(200);
    expect(client.headers).toMatchObject({
      'content-type': 'text/event-stream;ids=own',
      vary: 'Accept',
      'cache-control': expect.stringContaining('no-store'),
    });
    const a = await hub.publish('rooms/a', { data: '1' });
    const b = await hub.publish('rooms/b', { data: '2' });
    await hub.publish('typing/a', { data: '3', id: 'of its publisher' });
    expect(await client.take(3)).toMatchObject([
      { type: 'message', id: `rooms%2Fa=${a}`, text: '1' },
      { type: 'message', id: `rooms%2Fb=${b}`, text: '2' },
      { type: 'message', id: 'typing%2Fa=*', text: '3' },
    ]);
    expect(blocksOf(client)[0]!.id).toMatch(/^rooms%2Fa=0\.\w+&rooms%2Fb=0\.\w+&typing%2Fa=\*$/);
  });

  it('begins by POST in each channel where the client was, and gives nothing twice', async () => {
    const { hub, url } = await startEndpointApp();
    const { client: first } = await openWith(url, { 'rooms/a': '', 'rooms/b': '', 'typing/a': '' });
    for (const room of ['a', 'b', 'a']) await hub.publish(`rooms/${room}`, { data: 'had' });
    await first.take(3);
    first.drop('fin');
    for (const room of ['b', 'a', 'b']) await hub.publish(`rooms/${room}`, { data: `missed in ${room}` });
    const { client } = await openWith(url, positionsOf(first));
    await hub.publish('typing/a', { data: 'live' });
    const missed = (await client.take(4)).map(({ text }) => text);
    expect(missed.sort()).toEqual(['live', 'missed in a', 'missed in b', 'missed in b']);
    expect((await hub.connections())[0]!.channels).toEqual(['rooms/a', 'rooms/b', 'typing/a']);
  });

  it('begins by GET where its last event ID says, too', async () => {
    const { hub, url } = await startEndpointApp({ retry: 1 });
    const rooms = ['rooms/a', 'rooms/b'];
    const { client: first } = await openEndpoint(url, rooms, { headers: OWN_IDS });
    await hub.publish('rooms/a', { data: '1' });
    await first.next();
    first.drop('fin');
    for (const room of ['a', 'b']) await hub.publish(`rooms/${room}`, { data: room });
    const lastEventId = new URLSearchParams(positionsOf(first)).toString();
    const { client } = await openEndpoint(url, rooms, { headers: OWN_IDS, lastEventId });
    expect((await client.take(2)).map(({ text }) => text).sort()).toEqual(['a', 'b']);
  });

  it('names what is joined, and nothing that is left; a channel goes on where the client says', async () => {
    const { hub, url } = await startEndpointApp();
    const { client, id } = await openWith(url, { 'rooms/a': '' });
    const { body } = await change(url, id, { join: ['rooms/b'] });
    const told = `rooms%2Fb=${body.positions['rooms/b']}`;
    await client.untilId(told);
    expect(blocksOf(client).at(-1)!.raw).toContain('sse-position');
    await change(url, id, { leave: ['rooms/b'] });
    const missed = await hub.publish('rooms/b', { data: 'missed' });
    await change(url, id, { join: [{ channel: 'rooms/b', lastEventId: body.positions['rooms/b'] }] });
    expect(await client.next()).toMatchObject({ type: 'message', id: `rooms%2Fb=${missed}`, text: 'missed' });
  });

  it('goes on without a channel that was revoked', async () => {
    const { hub, url } = await startEndpointApp();
    const headers = { 'x-user': 'ada' };
    const { client } = await openWith(url, { 'rooms/a': '', 'rooms/b': '' }, { headers });
    await hub.revoke('ada', 'rooms/a');
    expect(await client.next()).toMatchObject({ type: 'denied', id: undefined });
    await hub.publish('rooms/a', { data: 'secret' });
    const id = await hub.publish('rooms/b', { data: '1' });
    expect(await client.next()).toMatchObject({ type: 'message', id: `rooms%2Fb=${id}`, text: '1' });
  });

  it('has no id in a gap before a snapshot, and that of its channel in the snapshot', async () => {
    const { hub, url } = await startEndpointApp({}, { providers: [roomStates()] });
    const had = await hub.publish('rooms/b', { data: '1' });
    const { client } = await openWith(url, { 'rooms/a': 'abc-1', 'rooms/b': had, 'rooms/c': '' });
    const events = await client.take(3);
    expect(events.map(({ type, id }) => [type, id?.split('=')[0]])).toEqual([
      ['gap', undefined],
      ['snapshot', 'rooms%2Fa'],
      ['snapshot', 'rooms%2Fc'],
    ]);
    expect(blocksOf(client)[0]!.id).toBe(`rooms%2Fb=${had}`);
  });

  it('takes 500 channels by default, and with full ids 50', async () => {
    const { hub, url } = await startEndpointApp();
    const { client, id } = await openWith(url, without(rooms(60)));
    expect((await hub.connections())[0]!.channels).toHaveLength(60);
    await hub.publish('rooms/59', { data: '1' });
    expect(await client.next()).toMatchObject({ text: '1' });
    expect((await change(url, id, { join: rooms(500) })).body.channels).toHaveLength(500);
    expect((await change(url, id, { join: ['rooms/one'] })).body.message).toContain('at most 500');
    const full = { headers: { accept: 'text/event-stream' } };
    const refused = await answerTo(`${url}/events`, posting({ channels: without(rooms(60)) }, full));
    expect(refused).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('(50)') as unknown },
    });
  });

  it('takes as many channels as the limit that is given', async () => {
    const { url } = await startEndpointApp({ limits: { channelsPerConnection: 2 } });
    const statusOf = async (count: number): Promise<number> =>
      (await answerTo(`${url}/events`, posting({ channels: without(rooms(count)) }))).status;
    expect([await statusOf(2), await statusOf(3)]).toEqual([200, 400]);
  });
});

describe('A stream with full ids', () => {
  it('begins by POST as well', async () => {
    const { hub, url } = await startEndpointApp();
    const [a, b] = [await hub.publish('rooms/a', { data: '1' }), await hub.publish('rooms/b', { data: '1' })];
    const id = await hub.publish('rooms/b', { data: '2' });
    const headers = { accept: 'text/event-stream', 'last-event-id': 'rooms%2Fold=1.markmark0000' };
    const { client } = await openWith(url, { 'rooms/a': a, 'rooms/b': b }, { headers });
    expect(client.headers).not.toHaveProperty('vary');
    expect(await client.next()).toMatchObject({
      type: 'message',
      id: `rooms%2Fa=${a}&rooms%2Fb=${id}`,
      text: '2',
    });
  });

  it('is what a route of Nest gives, whatever it is asked for', async () => {
    @Controller()
    class StockController {
      constructor(@Inject(SseHub) private readonly hub: SseHub) {}

      @StockSse('stock')
      stream() {
        return this.hub.stream('a');
      }
    }
    const { hub, url } = await startSseApp({ controllers: [StockController] });
    const client = await listen(`${url}/stock`, { headers: OWN_IDS });
    await client.untilId();
    const id = await hub.publish('a', { data: '1' });
    expect(await client.next()).toMatchObject({ id });
    expect(client.headers['content-type']).toBe('text/event-stream');
  });
});

describe('A route with @Sse()', () => {
  it('gives own ids of its one channel, and takes them back', async () => {
    const { hub, url } = await startSseApp({ routes: { events: (hub) => hub.stream('a') } });
    const client = await listen(`${url}/events`, { headers: OWN_IDS });
    const bare = await listen(`${url}/events`);
    await hub.publish('a', { data: '1' });
    const [{ id }, { id: own }] = [await bare.next(), await client.next()];
    expect(own).toBe(`a=${id}`);
    const missed = await hub.publish('a', { data: '2' });
    const again = await listen(`${url}/events`, { headers: OWN_IDS, lastEventId: own! });
    expect(await again.next()).toMatchObject({ type: 'message', id: `a=${missed}`, text: '2' });
  });

  it('tells at a heartbeat of the positions alone that have moved past hidden events', async () => {
    const isShown = ({ data }: { data: unknown }): boolean => data !== 'hidden';
    const { hub, url } = await startSseApp({
      sse: { heartbeat: 20 },
      routes: { events: (hub) => hub.stream(['a', 'b'], { filter: isShown }) },
    });
    const client = await listen(`${url}/events`, { headers: OWN_IDS });
    await client.untilId();
    const id = await hub.publish('a', { data: 'hidden' });
    await client.untilId(`a=${id}`);
    expect(blocksOf(client).at(-1)!.raw).toBe(`id: a=${id}\nevent: sse-position\ndata: {}`);
  });

  it('names the channel of each value that is made of an event, and none of others', async () => {
    const { hub, url } = await startSseApp({
      routes: {
        events: (hub) => hub.stream(['a', 'b']).pipe(mergeMap(({ data }) => of({ data: 'x' }, { data }))),
        mine: () => of({ id: '7', data: 'mine' }),
      },
    });
    const client = await listen(`${url}/events`, { headers: OWN_IDS });
    const begin = (await client.untilId()).split('&');
    const id = await hub.publish('b', { data: '1' });
    expect((await client.take(2)).map((event) => event.id)).toEqual([begin[1], `b=${id}`]);
    const mine = await listen(`${url}/mine`, { headers: OWN_IDS });
    expect(await mine.next()).toMatchObject({ type: 'message', id: undefined, text: 'mine' });
  });
});

describe.each(adapters)('A POST of the endpoint (%s)', (adapter) => {
  const start = (sse: SseModuleOptions = {}, providers: Type[] = []) =>
    startEndpointApp(sse, {
      adapter,
      providers,
      configure: (app) => app.enableCors({ origin: ['https://a.example'] }),
    });

  it('is answered with the status that says what is wrong', async () => {
    const { hub, url } = await start();
    const statusOf = async (body: unknown, headers = {}): Promise<number> =>
      (await answerTo(`${url}/events`, posting(body, { headers }))).status;
    const long = { channels: { 'rooms/a': 'x'.repeat(64 * 1024) } };
    const denied = { channels: { 'rooms/secret': '', 'nobody/asks': '' } };
    expect(await statusOf(denied, { accept: 'text/event-stream' })).toBe(403);
    expect(await statusOf({ channels: { 'not//a name': '' } })).toBe(400);
    expect(await statusOf({ channels: ['rooms/a'] })).toBe(400);
    expect(await statusOf({ channels: { 'rooms/a': 1 } })).toBe(400);
    expect(await statusOf({ channels: {}, join: [] })).toBe(400);
    expect(await statusOf('{')).toBe(400);
    expect(await statusOf(long)).toBe(413);
    expect(await statusOf({ channels: {} }, { 'content-type': 'text/plain' })).toBe(415);
    expect(await statusOf({ channels: {} }, { 'x-token': 'wrong' })).toBe(401);
    expect(hub.stats().connections).toBe(0);
  });

  it('opens a stream that channels are joined to later, and tells what was denied', async () => {
    const { hub, url } = await start();
    const { id } = await openWith(url, {});
    expect((await change(url, id, { join: ['rooms/a'] })).body.channels).toEqual(['rooms/a']);
    const { client } = await openWith(url, { 'rooms/a': '', 'rooms/secret': '' });
    expect(await client.next()).toMatchObject({ type: 'denied', id: undefined });
    await hub.publish('rooms/a', { data: '1' });
    expect(await client.next()).toMatchObject({ text: '1' });
  });

  it('keeps what else the answer varies by', async () => {
    const { url } = await start();
    const headers = { origin: 'https://a.example' };
    const { client } = await openWith(url, {}, { headers });
    expect(client.headers.vary).toBe('Origin, Accept');
  });

  // Fastify refuses such a body by itself.
  if (adapter === 'fastify') return;

  it('takes a channel that is named like a member of every object', async () => {
    const { hub, url } = await start({}, [topicAccess()]);
    const body = '{"channels":{"__proto__":"","constructor":""}}';
    const client = await listen(`${url}/events`, posting(body));
    await client.next();
    expect((await hub.connections())[0]!.channels).toEqual(['__proto__', 'constructor']);
  });
});
