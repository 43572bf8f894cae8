import * as childProcess from 'node:child_process';
import * as nodeCrypto from 'node:crypto';
import * as readline from 'node:readline';
import * as nest from '@nestjs/common';
import type { INestApplication, Type } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import * as terminus from '@nestjs/terminus';
import * as transformer from 'class-transformer';
import * as rxjs from 'rxjs';
import * as zod from 'zod';
import * as sse from '../../src/index.js';
import type { SseHub } from '../../src/index.js';
import * as channels from '../../src/sse/channels/index.js';
import * as client from '../../src/sse/client/index.js';
import * as health from '../../src/sse/health/index.js';
import { whenTestEnds } from '../support/clean-up.js';
import { eventually } from '../support/eventually.js';
import { newInbox } from '../support/inbox.js';
import { startSseApp, untilConnections } from '../support/sse-app.js';
import { answerTo, listen } from '../support/open-stream.js';
import { blockWith } from './guides.js';
import { runBlock } from './run-block.js';

const packages = { '@nestjs/common': nest, 'nestjs-sse-hub': sse, rxjs, zod };

/** Who asks is who a header says it is, as a guard would leave it on the request. */
const withUser = (app: INestApplication): void => {
  app.use((request: { user?: unknown; headers: Record<string, string> }, _: unknown, next: () => void) => {
    if (request.headers['x-user']) request.user = JSON.parse(request.headers['x-user']);
    next();
  });
};

const as = (user: object) => ({ headers: { 'x-user': JSON.stringify(user) } });
/** Runs a block whose exports are classes. */
const classesOf = (...args: Parameters<typeof runBlock>): Record<string, Type> =>
  runBlock(...args) as Record<string, Type>;

const dataOf = (events: readonly { type: string; data: string }[]): unknown[] =>
  events.map(({ type, data }) => [type, data]);

describe('the guides’ example', () => {
  it('of probes, with and without Terminus', async () => {
    const { HealthController } = classesOf(
      blockWith('ts', 'ServiceUnavailableException', 'health().ready'),
      packages,
    );
    const plain = await startSseApp({ controllers: [HealthController!] });
    const { AppModule } = classesOf(blockWith('ts', 'TerminusModule.forRoot'), {
      ...packages,
      '@nestjs/terminus': terminus,
      'nestjs-sse-hub/health': health,
    });
    const withTerminus = await startSseApp({ sse: false, imports: [AppModule!] });
    const ask = async (url: string, probe: string) => (await fetch(`${url}/health/${probe}`)).json();
    for (const probe of ['live', 'ready'] as const) {
      const expected = plain.hub.health()[probe];
      expect(await ask(plain.url, probe)).toEqual(expected);
      expect(await ask(withTerminus.url, probe)).toMatchObject({ status: 'ok', info: { sse: expected } });
    }
  });

  it('of checked events and @Publish()', async () => {
    const { OrderEvents } = runBlock(blockWith('ts', '// orders.channels.ts'), packages);
    const { Shipping, NotesController, Shipment } = classesOf(blockWith('ts', '@Publish(Shipment'), packages);
    const { app, hub, url } = await startSseApp({
      imports: [sse.SseModule.forFeature([OrderEvents, Shipment] as unknown as sse.ChannelDefinition[])],
      providers: [Shipping!],
      controllers: [NotesController!],
      routes: {
        all: (hub) => hub.stream(['shop/orders/7', 'shipments/7', 'warehouses/a%2Fb', 'notes/x%20y']),
      },
    });
    const client = await listen(`${url}/all`);
    await untilConnections(hub, 1);
    await hub.publish('shop/orders/7', { type: 'placed', data: { id: '7', items: ['tea'] } });
    await expect(
      hub.publish('shop/orders/7', { type: 'placed', data: { id: '7', items: [] } }),
    ).rejects.toMatchObject({ code: 'INVALID_DATA', message: expect.stringContaining('items') });

    const shipping = app.get<
      unknown,
      {
        ship(id: string): Promise<unknown>;
        pick(order: object): AsyncIterable<string>;
      }
    >(Shipping!);
    expect(await shipping.ship('7')).toEqual({ id: '7' });
    const picked: string[] = [];
    for await (const item of shipping.pick({ warehouse: 'a/b', items: ['tea', 'cup'] })) picked.push(item);
    expect(picked).toEqual(['tea', 'cup']);
    const response = await fetch(`${url}/notes/x%20y`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: '1' }),
    });
    expect({ status: response.status, text: await response.text() }).toEqual({ status: 201, text: '1' });
    expect((await client.take(5)).map(({ type, text }) => [type, text])).toEqual([
      ['placed', '{"id":"7","items":["tea"],"gift":false}'],
      ['shipped', '{"id":"7"}'],
      ['picked', 'tea'],
      ['picked', 'cup'],
      ['message', '1'],
    ]);
  });

  it('of definitions that a server shares with a page', async () => {
    const shared = runBlock(blockWith('ts', '// scores.channels.ts'), {
      'nestjs-sse-hub/channels': channels,
    });
    const own = { ...packages, './scores.channels.js': shared };
    const server = classesOf(blockWith('ts', '// scores.controller.ts'), own);
    const { app, url } = await startSseApp({ imports: [server.ScoresModule!] });
    const controller = app.get<unknown, { goal(game: string, team: string, total: number): Promise<void> }>(
      server.ScoresController!,
    );
    await controller.goal('final', 'Rovers', 1);
    const logged = newInbox<string>();
    const log = jest.spyOn(console, 'log').mockImplementation((text: string) => logged.push(text));
    whenTestEnds(() => log.mockRestore());
    const connect = (path: string) => {
      const page = client.connect(url + path);
      whenTestEnds(() => page.close());
      return page;
    };
    runBlock(blockWith('ts', '// scores.page.ts'), { ...own, 'nestjs-sse-hub/client': { connect } });
    await logged.until((text) => text === 'Rovers: 1');
  });

  it('of @Publish() beside an interceptor that hides something', async () => {
    const { UsersController } = classesOf(blockWith('ts', 'instanceToPlain(user)'), {
      ...packages,
      'class-transformer': transformer,
    });
    const { hub, url } = await startSseApp({ controllers: [UsersController!] });
    const response = await fetch(`${url}/users`, { method: 'POST' });
    expect(await response.json()).toEqual({ id: 1 });
    expect((await hub.history('users')).events).toMatchObject([{ type: 'created', data: { id: 1 } }]);
    expect(JSON.stringify(await hub.history('users'))).not.toContain('secret');
  });

  it('of @SseSnapshot()', async () => {
    const { BoardsState, BoardChannel } = classesOf(blockWith('ts', '// boards.state.ts'), packages);
    const { app, url } = await startSseApp({
      imports: [sse.SseModule.forFeature([BoardChannel as never])],
      providers: [BoardsState!],
      routes: { board: (hub) => hub.stream('boards/7') },
    });
    const boards = app.get<unknown, { addCard(id: string, card: string): Promise<void> }>(BoardsState!);
    await boards.addCard('7', 'one');
    const client = await listen(`${url}/board`);
    await client.take(1);
    await boards.addCard('7', 'two');
    await client.take(1);
    expect(client.events.map(({ type, text }) => [type, text])).toEqual([
      ['snapshot', '{"channel":"boards/7","state":["one"]}'],
      ['card', 'two'],
    ]);
  });

  it('of one connection for many channels', async () => {
    const block = blockWith('ts', 'endpoint: { path', 'SessionGuard');
    const { AppModule } = classesOf(block, packages);
    const { hub, url } = await startSseApp({ sse: false, imports: [AppModule!] });
    const mine = { headers: { cookie: 'session=1' } };
    expect((await answerTo(`${url}/events?channel=rooms/1`)).status).toBe(403);
    const client = await listen(`${url}/events?channel=rooms/1&channel=rooms/board`, mine);
    const events = await client.take(2);
    expect(events.map(({ type }) => type)).toEqual(['connection', 'denied']);
    const { id } = events[0]!.data as { id: string };
    const response = await fetch(`${url}/events/${id}/channels`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...mine.headers },
      body: JSON.stringify({ join: ['rooms/2'], leave: ['rooms/1'] }),
    });
    expect(await response.json()).toEqual({
      joined: ['rooms/2'],
      positions: { 'rooms/2': expect.any(String) },
      denied: [],
      left: ['rooms/1'],
      channels: ['rooms/2'],
    });
    await hub.publish('rooms/2', { type: 'said', data: { text: 'hello' } });
    expect(dataOf(await client.take(1))).toEqual([['said', { text: 'hello' }]]);
  });

  it('of a client with own ids, which opens its stream by POST', async () => {
    type OpenRooms = (url: string) => Promise<Response>;
    const { openRooms, keep } = runBlock(blockWith('ts', 'openRooms'), {});
    const { AppModule } = classesOf(blockWith('ts', 'endpoint: { path', 'SessionGuard'), packages);
    const session = (request: { headers: object }, _: unknown, next: () => void): void => {
      Object.assign(request.headers, { cookie: 'session=1' });
      next();
    };
    const configure = (app: INestApplication): unknown => app.use(session);
    const { hub, url } = await startSseApp({ sse: false, imports: [AppModule!], configure });
    const readUntil = async (text: string): Promise<string> => {
      const response = await (openRooms as OpenRooms)(`${url}/events`);
      let came = '';
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        came += chunk;
        if (came.includes(text)) break;
      }
      for (const [, id] of came.matchAll(/^id: (.*)$/gm)) (keep as (id: string) => void)(id!);
      return came;
    };
    await readUntil('connection');
    await hub.publish('rooms/1', { data: 'one' });
    await hub.publish('rooms/2', { data: 'two' });
    expect(await readUntil('data: two')).toContain('data: one');
    await hub.publish('rooms/2', { data: 'three' });
    expect(await readUntil('data: three')).not.toMatch(/one|two/);
  });

  it('of a stream by POST, which resumes', async () => {
    const { OrdersController } = classesOf(blockWith('ts', "@Sse('watch'"), packages);
    const { hub, url } = await startSseApp({ controllers: [OrdersController!] });
    const client = await listen(`${url}/orders/watch`, {
      ...{ method: 'POST', body: JSON.stringify({ ids: ['7', '8'] }), reconnect: 0 },
      headers: { 'content-type': 'application/json' },
    });
    expect(client.status).toBe(200);
    await client.untilId(); // its position
    client.drop();
    for (const id of ['7', '8']) await hub.publish(`orders/${id}`, { data: id });
    expect((await client.take(2)).map(({ text }) => text)).toEqual(['7', '8']);
    expect(client.connected).toBe(2);
  });

  it('of a build whose output is piped, and cancelled', async () => {
    const logged = newInbox<unknown>();
    for (const level of ['log', 'warn'] as const) {
      const spy = jest.spyOn(nest.Logger.prototype, level).mockImplementation((text) => logged.push(text));
      whenTestEnds(() => spy.mockRestore());
    }
    const { Build, BuildsController } = runBlock(blockWith('ts', '// builds.ts'), {
      ...packages,
      'node:child_process': childProcess,
      'node:crypto': nodeCrypto,
      'node:readline': readline,
    });
    const { url } = await startSseApp({
      imports: [sse.SseModule.forFeature([Build as sse.ChannelDefinition])],
      controllers: [BuildsController as Type],
    });
    const start = async (script: string): Promise<string> => {
      const response = await fetch(`${url}/builds`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ script }),
      });
      return `${url}/builds/${((await response.json()) as { id: string }).id}`;
    };

    const short = await start('console.log("one"); console.log("two")');
    await logged.until((text) => text === '3 events');
    const seen = await (await listen(short)).rest();
    expect(seen.map(({ type, text }) => [type, text])).toEqual([
      ['message', 'one'],
      ['message', 'two'],
      ['done', ''],
    ]);
    expect((await answerTo(`${url}/builds/nobody`)).status).toBe(204);

    const long = await start('setInterval(() => console.log("line"), 5)');
    await eventually(async () => {
      const response = await fetch(long);
      await response.body?.cancel();
      return response.status === 200;
    });
    const client = await listen(long);
    await client.take(1);
    expect((await fetch(long, { method: 'DELETE' })).ok).toBe(true);
    expect((await client.rest()).filter(({ type }) => type !== 'message')).toEqual([]);
    await logged.until((text) => String(text).includes('was completed'));
  });

  it('of presence', async () => {
    const { RoomsModule } = classesOf(blockWith('ts', '// room.ts'), packages);
    const { url } = await startSseApp({ sse: false, imports: [RoomsModule!], configure: withUser });
    const watcher = await listen(`${url}/rooms/1/events`);
    await listen(`${url}/rooms/1/events`, as({ id: 'ada', name: 'Ada' }));
    expect(dataOf(await watcher.take(1))).toEqual([['join', { user: 'ada', info: { name: 'Ada' } }]]);
    const members = await (await fetch(`${url}/rooms/1/members`)).json();
    expect(members).toEqual([
      { user: 'ada', info: { name: 'Ada' }, connections: 1, since: expect.any(String) },
    ]);
  });

  it('of the hooks', async () => {
    const timer = () => rxjs.timer(0, 1);
    const { WeatherService } = classesOf(blockWith('ts', '@OnFirstSubscriber('), {
      ...packages,
      rxjs: { ...rxjs, timer },
    });
    const { app, url } = await startSseApp({
      providers: [WeatherService!],
      routes: { weather: (hub: SseHub) => hub.stream('weather/new%20york') },
    });
    const { running } = app.get<unknown, { running: ReadonlyMap<string, unknown> }>(WeatherService!);
    const log = jest.spyOn(console, 'log').mockReturnValue();
    whenTestEnds(() => log.mockRestore());
    const client = await listen(`${url}/weather`);
    expect((await client.next()).text).toBe('the weather in new york');
    client.close();
    await eventually(() => running.size === 0);
    await eventually(() => log.mock.calls.length === 2);
    expect(log.mock.calls).toEqual([
      ['somebody listens to new york'],
      ['somebody does not listen to new york any more'],
    ]);
  });

  it('of limits for strangers', async () => {
    const { AppModule } = classesOf(blockWith('ts', 'connectionKey:'), packages);
    const { hub, url } = await startSseApp({
      sse: false,
      imports: [AppModule!],
      configure: withUser,
      controllers: [controllerOf()],
    });
    const open = (user: object) => listen(`${url}/news`, as(user));
    for (let i = 0; i < 20; i++) await open({ id: 'ada' });
    const tooMany = await open({ id: 'ada' });
    expect(await tooMany.ended()).toBe('ended');
    for (let i = 0; i < 21; i++) await open({ id: 'guard', isMonitor: true });
    await untilConnections(hub, 41);
  });
});

/** A route of the test's own, for a module that imports `SseModule` by itself. */
function controllerOf(): Type {
  @nest.Controller()
  class NewsController {
    constructor(@nest.Inject(sse.SseHub) private readonly hub: SseHub) {}

    @sse.Sse('news')
    news(): rxjs.Observable<unknown> {
      return this.hub.stream('news');
    }
  }
  return NewsController;
}
