import { Inject, Injectable, NotFoundException } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { filter, firstValueFrom, merge, Subject, switchMap, take, toArray } from 'rxjs';
import { defineChannel, SseHub, SseModule, SseSnapshot } from '../../../src/sse/index.js';
import type { SnapshotOf, SnapshotRequest } from '../../../src/sse/index.js';
import { blocksOf } from '../../support/blocks.js';
import { adapters } from '../../support/adapters.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import type { Route, SseAppOptions } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { LogRecorder } from '../http/log-recorder.js';
import { Publisher, ServerSockets } from '../http/stalled.js';
import {
  called,
  Held,
  LosesLog,
  short,
  start,
  startBoard,
  stateOf,
  Texts,
  textsOf,
  type Tell,
} from './snapshot-app.js';

describe.each(adapters)('a snapshot, on %s', (adapter) => {
  it.each<[string, () => never, number]>([
    ['an HTTP exception', () => fail(new NotFoundException('no such board')), 404],
    ['an error', () => fail(new Error('secret')), 500],
  ])('that fails by %s before the stream has begun is an HTTP error', async (_, tell, status) => {
    const { url, hub } = await start(tell, { adapter });
    const client = await answerTo(`${url}/events`);
    expect([client.status, client.headers['content-type']]).toEqual([
      status,
      expect.stringContaining('application/json'),
    ]);
    expect(JSON.stringify(client.body)).not.toContain('secret');
    await untilConnections(hub, 0);
    expect(hub.stats().subscribers).toBe(0);
  });

  it('that is not made in time is a 503, and the log names the method', async () => {
    const log = new LogRecorder();
    const never = (): Promise<never> => new Promise(() => undefined);
    const configure: SseAppOptions['configure'] = (app) => app.useLogger(log);
    const { url } = await start(never, { adapter, configure, sse: { snapshotTime: 20 } });
    const client = await answerTo(`${url}/events`);
    expect(client.status).toBe(503);
    expect((await log.until(/has not answered/)).text).toContain('Board.tell()');
  });

  // No adapter has a hand in what follows.
  if (adapter !== 'express') return;

  it.each(['events', 'piped'])(
    'comes first to a client of /%s without a position, then what follows',
    async (path) => {
      const { hub, url, board } = await startBoard({ replay: 'all' }, { adapter });
      const id = await board.add(hub, '1', '2');
      const client = await listen(`${url}/${path}`);
      const [first] = await client.take(1);
      expect(first).toMatchObject({ type: 'snapshot', id, data: { channel: 'board/a', state: ['1', '2'] } });
      await board.add(hub, '3', '4');
      expect(short(await client.take(2))).toEqual(['3', '4']);
      expect(board.calls).toBe(1);
    },
  );

  it('that fails in an open stream is an error event and the end; who comes back gets one', async () => {
    const logs = new LosesLog('board/a');
    let answer = (): SnapshotOf => ({ state: 1 });
    const { hub, url } = await start(() => answer(), { adapter, sse: { backplane: logs.backplane } });
    const client = await listen(`${url}/events`, { reconnect: 0 });
    await client.take(1);
    answer = () => fail(new NotFoundException('gone'));
    logs.lose();
    expect(short(await client.take(2))).toEqual(['gap:unknown', 'error:gone']);
    answer = () => ({ state: 2 });
    expect(short(await client.until(({ type }) => type === 'snapshot')).at(-1)).toBe('snapshot:2');
    await hub.publish('board/a', { data: 'live' });
    expect((await client.next()).text).toBe('live');
  });
});

describe('A snapshot', () => {
  it('is not for clients that resume', async () => {
    const { hub, url, board } = await startBoard();
    const id = await board.add(hub, '1');
    await board.add(hub, '2');
    const client = await listen(`${url}/events`, { lastEventId: id });
    expect(short(await client.take(1))).toEqual(['2']);
    expect(board.calls).toBe(0);
  });

  it.each(['events', 'both'])(
    'is what a client of /%s gets however early its stream was cut',
    async (path) => {
      const { hub, url, board } = await startBoard();
      await board.add(hub, '1', '2');
      await hub.publish('news', { type: 'other' });
      const whole = await listen(`${url}/${path}`);
      await whole.take(1);
      await board.add(hub, '3');
      await hub.publish('news', { type: 'other' });
      await board.add(hub, '4');
      await whole.until(({ text }) => text === '4');
      let received = 0;
      let lastEventId = '';
      for (const { id, event } of blocksOf(whole)) {
        lastEventId = id ?? lastEventId;
        if (event) received++;
        const client = await listen(`${url}/${path}`, { lastEventId });
        const end = await hub.publish('board/a', { type: 'end', data: '.' });
        const events = await client.until((each) => each.id?.includes(end) ?? false);
        expect(textsOf([...whole.events.slice(0, received), ...events])).toEqual(['1', '2', '3', '4']);
        client.close();
      }
      expect(blocksOf(whole)[0]!.id ?? '').not.toContain('board');
    },
  );

  it('follows the gap, after one call for all who come back with a position that is gone', async () => {
    const board = new Texts('board/a');
    const held = new Held(board.tell);
    const { hub, url } = await start(held.ask, { sse: { history: { count: 2 } } });
    const lastEventId = await board.add(hub, '1');
    const newest = await board.add(hub, '2', '3', '4');
    const opening = Array.from({ length: 30 }, () => listen(`${url}/events`, { lastEventId }));
    const call = await called(held);
    await untilConnections(hub, 30);
    call.answer();
    const clients = await Promise.all(opening);
    const live = await board.add(hub, '5');
    for (const client of clients) {
      // Cut off here a client comes back with the position it had.
      expect(blocksOf(client)[0]?.id).toBeUndefined();
      const events = await client.take(3);
      expect(short(events)).toEqual(['gap:evicted', 'snapshot:1,2,3,4', '5']);
      expect(events.map(({ id }) => id)).toEqual([undefined, newest, live]);
    }
    expect(held.count).toBe(1);
  });

  it('follows the gap of a client that lagged, when it can take it', async () => {
    const published: { current?: Publisher } = {};
    const tell: Tell = () => ({
      state: published.current!.newest,
      after: published.current!.id || undefined,
    });
    const app = await start(tell, { sse: { history: { count: 20, bytes: Infinity } } });
    const publisher = (published.current = new Publisher(app.hub, 'board/a'));
    const sockets = new ServerSockets(app);
    const client = await listen(`${app.url}/events`);
    await client.take(1);
    client.pause();
    await publisher.fill(sockets.of(client));
    await publisher.publish(40);
    client.read();
    const events = await client.until(({ type }) => type === 'snapshot');
    const types = events.slice(-2).map(({ type }) => type);
    expect(types).toEqual(['gap', 'snapshot']);
    expect(events.at(-2)!.data).toMatchObject({ reason: 'lagged' });
    expect(events.at(-1)).toMatchObject({
      id: publisher.id,
      text: expect.stringContaining(`${publisher.newest}`),
    });
    const left = events.slice(0, -2).filter(({ type }) => type === 'big');
    expect(left.length).toBeLessThan(publisher.newest);
    await publisher.publish();
    expect((await client.next()).id).toBe(publisher.id);
  });

  it('passes by the operators, and so does its place in the ids', async () => {
    const nothing: Route = (hub) => hub.stream('board/a').pipe(filter(() => false));
    const board = new Texts('board/a');
    const { hub, url } = await start(board.tell, { routes: { events: nothing } });
    const id = await board.add(hub, '1');
    const client = await listen(`${url}/events`);
    expect(await client.next()).toMatchObject({ type: 'snapshot', id });
  });

  it('is shown of a channel that an open stream joins', async () => {
    const join = new Subject<void>();
    const routes = {
      events: (hub: SseHub) => merge(hub.stream('news'), join.pipe(switchMap(() => hub.stream('board/a')))),
    };
    const held = new Held(() => ({ state: 1 }));
    const { hub, url } = await start(held.ask, { routes });
    const client = await listen(`${url}/events`);
    join.next();
    const call = await called(held);
    const news = await hub.publish('news', { data: 'news' });
    expect((await client.next()).id).toBe(news);
    call.answer();
    const { position } = await hub.history(['news', 'board/a']);
    expect(position).toContain(`news=${news}&board%2Fa=`);
    expect((await client.next()).id).toBe(position);
  });

  it('comes with every join of a channel without history, and no id', async () => {
    const { hub, url, board } = await startBoard({ history: 0 });
    await board.add(hub, '1');
    for (const lastEventId of ['', 'anything']) {
      const client = await listen(`${url}/events`, { lastEventId });
      const [event] = await client.take(1);
      expect(event).toMatchObject({ type: 'snapshot', id: undefined });
      await hub.publish('board/a', { data: 'live' });
      expect((await client.next()).text).toBe('live');
    }
  });

  it('of a completed channel is followed by the end, and 204', async () => {
    const { hub, url, board } = await startBoard();
    await board.add(hub, '1');
    await hub.complete('board/a');
    const client = await listen(`${url}/events`);
    expect(short(await client.rest())).toEqual(['snapshot:1']);
    expect((await answerTo(`${url}/events`, { lastEventId: client.lastEventId })).status).toBe(204);
  });

  it('is none of the events of a stream outside of a response', async () => {
    const { hub, board } = await startBoard({ replay: 'all' });
    await board.add(hub, '1', '2');
    const events = await firstValueFrom(hub.stream('board/a').pipe(take(2), toArray()));
    expect(events.map(({ data }) => data as string)).toEqual(['1', '2']);
    expect(board.calls).toBe(0);
  });
});

describe('A method with @SseSnapshot()', () => {
  const Room = defineChannel('rooms/:id');
  const imports = [SseModule.forFeature([Room])];

  /** Made when it is provided: the other applications here have no such class. */
  const roomsOf = (): Type => {
    @Injectable()
    class Rooms {
      constructor(@Inject(SseHub) readonly hub: SseHub) {}

      @SseSnapshot(Room)
      one({ channel, params }: SnapshotRequest<{ id: string }>): SnapshotOf {
        return { state: { channel, id: params.id, hasHub: this.hub instanceof SseHub } };
      }

      @SseSnapshot(':any/:id')
      async any(): Promise<SnapshotOf> {
        return { state: 'any' };
      }
    }
    return Rooms;
  };

  const routes: Record<string, Route> = { events: (hub, { query }) => hub.stream(query.channel!) };

  it.each([
    [Room.of({ id: 'ö/1' }), { channel: 'rooms/%C3%B6%2F1', id: 'ö/1', hasHub: true }],
    ['others/1', 'any'],
  ])('is asked for %s: the first one that matches', async (channel, state) => {
    const { url } = await startSseApp({ routes, providers: [roomsOf()], imports });
    const client = await listen(`${url}/events?channel=${encodeURIComponent(channel)}`);
    expect((await client.next()).data).toEqual({ channel, state });
  });

  it('is not asked for other channels', async () => {
    for (const channel of ['rooms/%61', 'rooms/1/2', 'rooms']) {
      const { hub, url } = await startSseApp({
        routes,
        providers: [roomsOf()],
        imports,
        sse: { replay: 'all' },
      });
      await hub.publish(channel, { data: '1' });
      const client = await listen(`${url}/events?channel=${encodeURIComponent(channel)}`);
      expect((await client.next()).text).toBe('1');
    }
  });

  it('is the only one of its pattern', async () => {
    const tell: Tell = () => ({ state: 1 });
    for (const other of ['board/:id', 'board/:board']) {
      const providers = [stateOf('board/:id', tell), stateOf(other, tell)];
      await expect(startSseApp({ providers })).rejects.toMatchObject({
        code: 'DUPLICATE_DEFINITION',
        message: expect.stringContaining(other),
      });
    }
  });

  const circular: Record<string, unknown> = {};
  circular.self = circular;

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'NOT_SERIALIZABLE'],
    ['no state', {}, 'NOT_SERIALIZABLE'],
    ['a function', { state: () => 1 }, 'NOT_SERIALIZABLE'],
    ['what has no JSON form', { state: circular }, 'NOT_SERIALIZABLE'],
    ['more than an event may have', { state: 'x'.repeat(1_000) }, 'EVENT_TOO_LARGE'],
  ])('that returns %s fails, and the log says so', async (_, answer, code) => {
    const log = new LogRecorder();
    const configure: SseAppOptions['configure'] = (app) => app.useLogger(log);
    const { url } = await start(() => answer as SnapshotOf, { configure, sse: { maxEventBytes: 500 } });
    const client = await answerTo(`${url}/events`);
    expect(client.status).toBe(500);
    expect((await log.until(new RegExp(code))).text).toContain('Board.tell()');
  });
});

function fail(error: Error): never {
  throw error;
}
