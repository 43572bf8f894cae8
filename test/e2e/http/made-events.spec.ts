import { Injectable } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { concat, from, map, mergeMap, of, startWith, tap, type Observable } from 'rxjs';
import { AuthorizeChannel } from '../../../src/sse/index.js';
import type { SseEvent } from '../../../src/sse/index.js';
import { blocksOf } from '../../support/blocks.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route, SseApp, SseAppOptions } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { stateOf, Texts } from '../snapshots/snapshot-app.js';

const routes: Record<string, Route> = { events: (hub) => hub.stream('news') };

type Intercept = (context: ExecutionContext, next: CallHandler) => Observable<unknown>;

const intercepted = (intercept: Intercept, more: SseAppOptions = {}): Promise<SseApp> =>
  startSseApp({
    routes,
    ...more,
    configure: (app) => app.useGlobalInterceptors({ intercept } satisfies NestInterceptor),
  });

describe('events that an interceptor makes', () => {
  it('keep the place of what they were made of: a client that comes back gets none twice', async () => {
    const { hub, url } = await intercepted((_, next) => next.handle().pipe(map((data) => ({ data }))));
    const client = await listen(`${url}/events`, { reconnect: 0 });
    const ids = [];
    for (const n of [1, 2]) ids.push(await hub.publish('news', { type: 'paid', data: { n } }));
    expect((await client.take(2)).map(({ id }) => id)).toEqual(ids);
    client.drop();
    await client.untilConnected(2);
    const third = await hub.publish('news', { type: 'paid', data: { n: 3 } });
    expect((await client.next()).id).toBe(third);
  });

  it('may be Promises: they are awaited, one after the other', async () => {
    const resolve: Intercept = (_, next) =>
      next.handle().pipe(map(async (event: SseEvent) => ({ ...event, data: `${String(event.data)}!` })));
    const { hub, url } = await intercepted(resolve);
    const client = await listen(`${url}/events`);
    const ids = await Promise.all(['a', 'b', 'c'].map((data) => hub.publish('news', { type: 'paid', data })));
    expect(await client.take(3)).toMatchObject(
      ['a!', 'b!', 'c!'].map((data, i) => ({ type: 'paid', id: ids[i], text: data })),
    );
  });
});

describe('an interceptor that answers without calling the handler', () => {
  /** A cache of what the stream of somebody else has emitted last. */
  function cache(keep: (event: unknown) => unknown): Intercept {
    let kept: unknown;
    return (_, next) =>
      kept === undefined ? next.handle().pipe(tap((event) => (kept = keep(event)))) : of(kept);
  }

  it.each<[string, (event: unknown) => unknown]>([
    ['the very event', (event) => event],
    ['what JSON made of it', (event) => JSON.parse(JSON.stringify(event)) as unknown],
  ])('is not believed with an event of the hub: %s', async (_, keep) => {
    const { hub, url } = await intercepted(cache(keep));
    const first = await listen(`${url}/events`);
    await hub.publish('news', { data: 'a' });
    await first.next();
    const second = await listen(`${url}/events`);
    expect((await second.rest()).map(({ type, id }) => [type, id])).toEqual([['error', undefined]]);
    expect(second.lastEventId).toBe('');
  });

  it('may answer with events of its own', async () => {
    const { url } = await intercepted(() => of({ data: 'maintenance' }));
    const client = await listen(`${url}/events`);
    expect((await client.rest()).map(({ text }) => text)).toEqual(['maintenance']);
  });

  it('may put events of its own before those of the handler', async () => {
    const { hub, url } = await intercepted((_, next) => next.handle().pipe(startWith({ data: 'hello' })));
    const client = await listen(`${url}/events`);
    expect((await client.next()).text).toBe('hello');
    const id = await hub.publish('news', { data: 'a' });
    expect(await client.next()).toMatchObject({ text: 'a', id });
  });
});

it('merges a page of the history in: a client that comes back gets what it has not got', async () => {
  const paged: Route = async (hub) => {
    const { events, position } = await hub.history('news');
    return concat(from(events), hub.stream('news', { lastEventId: position }));
  };
  const { hub, url } = await startSseApp({ routes: { paged } });
  for (const data of ['a', 'b', 'c']) await hub.publish('news', { data });
  const client = await listen(`${url}/paged`, { reconnect: 0 });
  expect((await client.take(3)).map(({ text }) => text)).toEqual(['a', 'b', 'c']);
  client.drop();
  await client.untilConnected(2);
  await hub.publish('news', { data: 'd' });
  expect((await client.next()).text).toBe('d');
});

describe('events that go out one by one, of a burst longer than a turn', () => {
  it('lead to all events from wherever the stream is cut, where one event makes three', async () => {
    const tripled: Route = (hub) =>
      hub
        .stream('news', { replay: 'all' })
        .pipe(mergeMap((event) => [1, 2, 3].map((part) => ({ data: `${String(event.data)}.${part}` }))));
    const { hub, url } = await startSseApp({ routes: { tripled } });
    for (const data of ['a', 'b']) await hub.publish('news', { data });
    const whole = await listen(`${url}/tripled`);
    const all = (await whole.take(6)).map(({ text }) => text);
    let had = 0;
    for (const { id, event } of blocksOf(whole)) {
      if (event) had++;
      if (id === undefined) continue;
      const client = await listen(`${url}/tripled`, { lastEventId: id });
      expect((await client.take(6 - had)).map(({ text }) => text)).toEqual(all.slice(had));
    }
  });
});

describe('a client that takes every event for one of the application (plain)', () => {
  const plain = { routes, routeOptions: { plain: true } };

  it('gets no event of the package, and resumes all the same', async () => {
    const { hub, url } = await startSseApp(plain);
    const client = await listen(`${url}/events`, { reconnect: 0 });
    await client.untilId();
    client.drop();
    await client.untilConnected(2);
    await hub.publish('news', { data: 'a' });
    expect((await client.next()).text).toBe('a');
    expect(client.raw).not.toContain('event:');
  });

  it('is cut off at a gap, as a clean end would be taken for the whole', async () => {
    const { url } = await startSseApp(plain);
    const client = await listen(`${url}/events`, { lastEventId: 'abc-1' }).catch(() => undefined);
    expect((await client?.ended()) ?? 'broken').toBe('broken');
  });

  it('gets the event that the route makes of a gap', async () => {
    const gap = ({ reason }: { reason: string }) => ({ type: 'start-again', data: reason });
    const { hub, url } = await startSseApp({ routes, routeOptions: { plain: { gap } } });
    await hub.publish('news', { data: 'a' });
    const client = await listen(`${url}/events`, { lastEventId: 'abc-1' });
    expect((await client.take(2)).map(({ type, text }) => [type, text])).toEqual([
      ['start-again', 'unknown'],
      ['message', 'a'],
    ]);
  });

  it('is not told of a channel that it is denied, nor that it is not known any more', async () => {
    @Injectable()
    class Rooms {
      @AuthorizeChannel('rooms/:room')
      mayEnter(): boolean {
        return false;
      }
    }
    const { url } = await startSseApp({
      routes: { rights: (hub) => hub.stream(['rooms/bob', 'news']) },
      routeOptions: { plain: true },
      providers: [Rooms],
      sse: { identify: () => ({ user: 'ann', expiresAt: Date.now() + 300 }) },
    });
    const client = await listen(`${url}/rights`);
    // Cut, and not ended: it would take a clean end for the end.
    expect([client.status, await client.ended(), client.events]).toEqual([200, 'broken', []]);
  });

  it('is not shown the state of a channel', async () => {
    const board = new Texts('news');
    const { hub, url } = await startSseApp({ ...plain, providers: [stateOf('news', board.tell)] });
    await board.add(hub, 'before');
    const client = await listen(`${url}/events`);
    await board.add(hub, 'a');
    expect(await client.next()).toMatchObject({ type: 'message', text: 'a' });
    expect(board.calls).toBe(0);
  });

  it('is cut off by an error', async () => {
    const broken: Route = (hub) =>
      hub.stream('news').pipe(
        map(() => {
          throw new Error('model is away');
        }),
      );
    const { hub, url } = await startSseApp({ routes: { broken }, routeOptions: { plain: true } });
    const client = await listen(`${url}/broken`);
    await hub.publish('news', { data: 'a' });
    expect(await client.ended()).toBe('broken');
    expect(client.events).toEqual([]);
  });
});

it('keeps one copy of a large event for clients that do not read, however their ids differ', async () => {
  const count = 60;
  const { hub, url } = await startSseApp({ routes: { both: (hub) => hub.stream(['news', 'sport']) } });
  const clients = [];
  for (let i = 0; i < count; i++) {
    await hub.publish('sport', { data: i });
    clients.push(await listen(`${url}/both`));
  }
  for (const client of clients) client.pause();
  const before = process.memoryUsage();
  for (let i = 0; i < 3; i++) await hub.publish('news', { data: 'x'.repeat(900_000) });
  await eventually(() => hub.stats().published === count + 3);
  await new Promise((resolve) => setImmediate(resolve));
  const after = process.memoryUsage();
  const grown = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed;
  expect(grown).toBeLessThan((count / 2) * 900_000);
});
