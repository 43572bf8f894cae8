import { Controller, Inject, Injectable, UseGuards } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import {
  defaultIfEmpty,
  firstValueFrom,
  map,
  merge,
  of,
  share,
  startWith,
  Subject,
  switchMap,
  take,
  timer,
} from 'rxjs';
import type { Observable } from 'rxjs';
import { Sse, SseHub } from '../../../src/sse/index.js';
import { LogRecorder } from '../http/log-recorder.js';
import { eventually } from '../../support/eventually.js';
import { untilConnections, untilSubscribers } from '../../support/sse-app.js';
import { denied } from './denied.js';
import { startRoomsApp, TokenGuard, type RoomsApp, type RoomsAppOptions } from './rooms-app.js';

const rooms$ = new Subject<string>();

/** Streams that are made when the application starts, outside of any request. */
@Injectable()
class Sources {
  readonly plain: Observable<unknown>;
  readonly shared: Observable<unknown>;
  cached: Observable<unknown> | undefined;

  constructor(@Inject(SseHub) hub: SseHub) {
    this.plain = hub.stream('rooms/bob');
    this.shared = hub.stream('rooms/bob').pipe(share());
  }
}

@Controller()
@UseGuards(TokenGuard)
class FormsController {
  constructor(
    @Inject(SseHub) private readonly hub: SseHub,
    @Inject(Sources) private readonly sources: Sources,
  ) {}

  get #bob(): Observable<unknown> {
    return this.hub.stream('rooms/bob');
  }

  @Sse('method')
  method(): Observable<unknown> {
    return this.#bob;
  }

  @Sse('promised')
  async promised(): Promise<Observable<unknown>> {
    await Promise.resolve();
    return this.#bob;
  }

  @Sse('provider')
  provider(): Observable<unknown> {
    return this.sources.plain;
  }

  @Sse('provider/shared')
  providerShared(): Observable<unknown> {
    return this.sources.shared;
  }

  @Sse('cached')
  cached(): Observable<unknown> {
    return (this.sources.cached ??= this.#bob.pipe(share()));
  }

  @Sse('cached/authorized')
  cachedAuthorized(): Observable<unknown> {
    return (this.sources.cached ??= this.hub.stream('rooms/bob', { authorize: false }).pipe(share()));
  }

  @Sse('piped')
  piped(): Observable<unknown> {
    return this.#bob.pipe(map((event) => ({ ...(event as object) })));
  }

  @Sse('merged')
  merged(): Observable<unknown> {
    return merge(this.#bob, this.hub.stream('rooms/carol'));
  }

  @Sse('shared')
  shared(): Observable<unknown> {
    return this.#bob.pipe(share());
  }

  @Sse('late')
  late(): Observable<unknown> {
    return rooms$.pipe(
      switchMap((room) => this.hub.stream(room)),
      startWith('ready'),
    );
  }

  @Sse('late/shared')
  lateShared(): Observable<unknown> {
    return timer(10).pipe(
      switchMap(() => this.#bob.pipe(share())),
      startWith('ready'),
    );
  }

  @Sse('late/provider')
  lateProvider(): Observable<unknown> {
    return timer(10).pipe(
      switchMap(() => this.sources.shared),
      startWith('ready'),
    );
  }

  @Sse('late/elsewhere')
  lateElsewhere(): Observable<unknown> {
    return rooms$.pipe(
      switchMap(() => this.sources.shared),
      map((event) => ({ ...(event as object) })),
      startWith('ready'),
    );
  }

  @Sse('with/shared')
  withShared(): Observable<unknown> {
    return merge(this.sources.shared, this.hub.stream('rooms/carol'));
  }

  @Sse('looked-up')
  lookedUp(): Observable<unknown> {
    const newest = this.hub.stream('rooms/bob', { replay: 1 });
    return newest.pipe(take(1), defaultIfEmpty({ data: 'nothing' }));
  }

  @Sse('authorized')
  authorized(): Observable<unknown> {
    return this.hub.stream('rooms/bob', { authorize: false });
  }

  @Sse('plain')
  plain(): Observable<unknown> {
    return of('plain');
  }
}

const start = (options: RoomsAppOptions): Promise<RoomsApp> =>
  startRoomsApp({ controllers: [FormsController], providers: [Sources], ...options });

/** With an interceptor of its own an application has its streams served by ours. */
const throughInterceptors: RoomsAppOptions = {
  configure: (app) => app.useGlobalInterceptors({ intercept: (_context, next) => next.handle() }),
};

describe.each([
  ['from its method', {}],
  ['through interceptors', throughInterceptors],
])('a guarded channel (served %s)', (_way, options) => {
  it.each([
    'method',
    'promised',
    'provider',
    'provider/shared',
    'cached',
    'piped',
    'merged',
    'shared',
    'looked-up',
  ])('is asked for and denied where it is streamed by /%s', async (path) => {
    const { answerAt, rooms, hub } = await start(options);
    await hub.publish('rooms/bob', { data: 'secret' });
    const { status, body } = await answerAt(`/${path}`, 'ann');
    expect(status).toBe(403);
    expect(rooms.asked[0]).toMatchObject({ channel: 'rooms/bob', user: 'ann' });
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  it.each(['method', 'promised', 'provider', 'provider/shared', 'cached', 'piped', 'merged', 'shared'])(
    'is asked for and granted where it is streamed by /%s, also after another client was denied',
    async (path) => {
      const { openAt, answerAt, rooms, hub } = await start(options);
      expect((await answerAt(`/${path}`, 'ann')).status).toBe(403);
      const client = await openAt(`/${path}`, 'bob');
      await untilSubscribers(hub, 'rooms/bob', 1);
      await hub.publish('rooms/bob', { data: 'for bob' });
      await client.until(({ text }) => text === 'for bob');
      expect(rooms.asked.map(({ user }) => user)).toContain('bob');
      // Once more, when nobody is left who shares it.
      client.close();
      await untilSubscribers(hub, 'rooms/bob', 0);
      expect((await answerAt(`/${path}`, 'ann')).status).toBe(403);
    },
  );

  it('is asked for in the name of who subscribes, although the stream was made for somebody who has gone', async () => {
    const { openAt, answerAt, hub } = await start(options);
    const bob = await openAt('/cached', 'bob');
    await untilSubscribers(hub, 'rooms/bob', 1);
    bob.close();
    await untilSubscribers(hub, 'rooms/bob', 0);
    expect((await answerAt('/cached', 'ann')).status).toBe(403);
    const again = await openAt('/cached', 'bob');
    await untilSubscribers(hub, 'rooms/bob', 1);
    await hub.publish('rooms/bob', { data: 'for bob' });
    expect(await again.next()).toMatchObject({ text: 'for bob' });
  });

  it('is denied to a stream that is subscribed to after its response has ended', async () => {
    const { openAt, hub, app } = await start(options);
    await hub.publish('rooms/bob', { data: 'secret' });
    const bob = await openAt('/cached', 'bob');
    await untilSubscribers(hub, 'rooms/bob', 1);
    bob.close();
    await untilSubscribers(hub, 'rooms/bob', 0);
    const late = app.get(Sources).cached?.pipe(take(1), defaultIfEmpty('nothing')) as Observable<unknown>;
    const given = firstValueFrom(late);
    await hub.publish('rooms/bob', { data: 'secret' });
    expect(await given).toBe('nothing');
  });

  it('is not streamed to those who share a stream that was decided for somebody else', async () => {
    const { openAt, rooms, hub, app } = await start(options);
    const log = new LogRecorder();
    app.useLogger(log);
    const bob = await openAt('/cached', 'bob');
    await untilSubscribers(hub, 'rooms/bob', 1);
    const ann = await openAt('/cached', 'ann');
    await untilConnections(hub, 2);
    await hub.publish('rooms/bob', { data: 'for bob' });
    expect(await bob.next()).toMatchObject({ text: 'for bob' });
    expect(await ann.rest()).toMatchObject([{ type: 'error', id: undefined, text: 'Forbidden' }]);
    expect(rooms.asked.map(({ user }) => user)).toEqual(['bob']);
    await log.until(/"rooms\/bob".*without a question/);
    await hub.publish('rooms/bob', { data: 'more' });
    expect(await bob.next()).toMatchObject({ text: 'more' });
  });

  it('is streamed to all who share a stream of which it was said that nobody is to be asked', async () => {
    const { openAt, rooms, hub } = await start(options);
    const clients = [await openAt('/cached/authorized', 'bob')];
    await untilSubscribers(hub, 'rooms/bob', 1);
    clients.push(await openAt('/cached/authorized', 'ann'));
    await untilConnections(hub, 2);
    await hub.publish('rooms/bob', { data: 'for all' });
    for (const client of clients) expect(await client.next()).toMatchObject({ text: 'for all' });
    expect(rooms.asked).toEqual([]);
  });

  it.each(['late/shared', 'late/provider'])(
    'is asked for where it is streamed later, by /%s, and its client is told',
    async (path) => {
      const { openAt, hub, rooms } = await start(options);
      const ann = await openAt(`/${path}`, 'ann');
      expect(await ann.take(2)).toMatchObject([
        expect.objectContaining({ text: 'ready' }),
        denied('rooms/bob'),
      ]);
      expect(await ann.ended()).toBe('ended');
      await openAt(`/${path}`, 'bob');
      await untilSubscribers(hub, 'rooms/bob', 1);
      expect(rooms.asked.map(({ user }) => user)).toEqual(['ann', 'bob']);
    },
  );

  it('is asked for each time that an open stream turns to another one', async () => {
    const { openAt, hub } = await start(options);
    const client = await openAt('/late', 'ann');
    await client.next();
    rooms$.next('rooms/bob');
    expect(await client.next()).toMatchObject(denied('rooms/bob'));
    rooms$.next('rooms/ann');
    await untilSubscribers(hub, 'rooms/ann', 1);
    await hub.publish('rooms/bob', { data: 'secret' });
    await hub.publish('rooms/ann', { data: 'yours' });
    expect(await client.next()).toMatchObject({ text: 'yours' });
    rooms$.next('rooms/bob');
    expect(await client.next()).toMatchObject(denied('rooms/bob'));
  });

  it('is not streamed where nobody can be asked, as of a shared stream that something else subscribes to', async () => {
    const { openAt, hub, rooms, app } = await start(options);
    const log = new LogRecorder();
    app.useLogger(log);
    const client = await openAt('/late/elsewhere', 'ann');
    await client.next();
    rooms$.next('of no request');
    await untilSubscribers(hub, 'rooms/bob', 1);
    await hub.publish('rooms/bob', { data: 'secret' });
    expect(await client.rest()).toMatchObject([{ type: 'error', id: undefined, text: 'Forbidden' }]);
    expect(rooms.asked).toEqual([]);
    await log.until(/"rooms\/bob".*without a question/);
  });

  it('counts as granted where only a stream that is shared has it', async () => {
    const { openAt, hub } = await start(options);
    const client = await openAt('/with/shared', 'bob');
    expect(client.status).toBe(200);
    expect(await client.next()).toMatchObject(denied('rooms/carol'));
    await hub.publish('rooms/bob', { data: 'for bob' });
    expect(await client.next()).toMatchObject({ text: 'for bob' });
  });

  it('is not asked for where the method says that it has decided', async () => {
    const { openAt, rooms, hub } = await start(options);
    const client = await openAt('/authorized', 'ann');
    await untilSubscribers(hub, 'rooms/bob', 1);
    await hub.publish('rooms/bob', { data: 'for ann' });
    expect(await client.next()).toMatchObject({ text: 'for ann' });
    expect(rooms.asked).toEqual([]);
  });

  it('is not asked for by what the application subscribes to for itself', async () => {
    const { rooms, hub } = await start(options);
    const seen: unknown[] = [];
    const subscription = hub.stream('rooms/bob').subscribe(({ data }) => seen.push(data));
    await hub.publish('rooms/bob', { data: 'for the application' });
    await eventually(() => seen.length === 1);
    subscription.unsubscribe();
    expect(rooms.asked).toEqual([]);
  });

  it('has nothing to do with other streams', async () => {
    const { openAt, rooms } = await start(options);
    const client = await openAt('/plain', 'ann');
    expect((await client.rest()).map(({ text }) => text)).toEqual(['plain']);
    expect(rooms.asked).toEqual([]);
  });
});
