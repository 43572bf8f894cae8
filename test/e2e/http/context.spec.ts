import { AsyncLocalStorage } from 'node:async_hooks';
import { Controller, Get, Inject, Post, Query, Sse as StockSse } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { defer, map, mergeMap, of, share, startWith, Subject, switchMap, tap } from 'rxjs';
import type { Observable } from 'rxjs';
import { Sse, SseHub } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { blocksOf } from '../../support/blocks.js';
import { startSseApp, untilSubscribers } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

/** Everything that a client was sent. */
const wireOf = (client: TestStream): string => client.raw;

describe('Two users whose requests trigger each other’s streams', () => {
  /** What a request of one makes the stream of the other do: it begins to stream the channel named. */
  async function start(): Promise<{ hub: SseHub; url: string }> {
    const rooms = new Subject<string>();
    const seen = new Subject<string>();

    @Controller()
    class RoomsController {
      /** Of all users together, as a service has it. */
      readonly #shared: Observable<unknown>;

      constructor(@Inject(SseHub) private readonly hub: SseHub) {
        this.#shared = rooms.pipe(
          switchMap((room) => this.hub.stream(room)),
          map(({ data }) => ({ type: 'bobs', data: data as string })),
          share(),
        );
      }

      @Sse('bob')
      bob(): Observable<unknown> {
        return rooms.pipe(
          switchMap((room) =>
            this.hub
              .stream(room, { replay: 'all' })
              .pipe(map((event) => ({ type: 'bobs', data: event.data }))),
          ),
          startWith('ready'),
        );
      }

      @Sse('bob/shared')
      shared(): Observable<unknown> {
        return this.#shared.pipe(startWith('ready'));
      }

      @Sse('bob/follows')
      follows(): Observable<unknown> {
        const open = (room: string): Observable<unknown> => this.hub.stream(room, { replay: 'all' });
        return this.hub.stream('rooms').pipe(switchMap(({ data }) => open(data as string)));
      }

      @Sse('ada/publishes')
      async publishes(@Query('room') room: string): Promise<Observable<unknown>> {
        await this.hub.publish('rooms', { data: room });
        return this.hub.stream('ada');
      }

      @Sse('ada/in-pipeline')
      inPipeline(): Observable<unknown> {
        return this.hub.stream('ada').pipe(tap(({ data }) => data !== 'last' && rooms.next(data)));
      }

      @Sse('ada/in-method')
      inMethod(@Query('room') room: string): Observable<unknown> {
        rooms.next(room);
        return this.hub.stream('ada');
      }

      @Sse('ada/in-subscription')
      inSubscription(@Query('room') room: string): Observable<unknown> {
        return defer(() => {
          rooms.next(room);
          return this.hub.stream('ada');
        });
      }

      @Sse('ada/later')
      later(@Query('room') room: string): Observable<unknown> {
        const stream = this.hub.stream('ada');
        queueMicrotask(() => rooms.next(room));
        return stream;
      }

      @StockSse('ada/stock')
      stock(@Query('room') room: string): Observable<unknown> {
        rooms.next(room);
        return seen;
      }

      @Post('ada/stock')
      say(): void {
        seen.next('said');
      }

      @Get('rooms')
      open(@Query('room') room: string): void {
        rooms.next(room);
      }
    }
    const { hub, url } = await startSseApp({ controllers: [RoomsController] });
    await hub.publish('bobs/secret', { data: 'for bob' });
    return { hub, url };
  }

  it.each(['in-method', 'in-subscription', 'later'])(
    'see nothing of each other’s channels when one starts the other’s stream (%s)',
    async (when) => {
      const { hub, url } = await start();
      const bob = await listen(`${url}/bob`);
      await bob.next();
      const ada = await listen(`${url}/ada/${when}?room=bobs/secret`);
      expect(await bob.next()).toMatchObject({ type: 'bobs', text: 'for bob' });
      await hub.purge('bobs/secret');
      await hub.publish('bobs/secret', { data: 'more' });
      await hub.publish('ada', { data: 'last' });
      expect(await bob.next()).toMatchObject({ text: 'more' });
      expect((await ada.take(1))[0]).toMatchObject({ type: 'message', text: 'last' });
      expect(wireOf(ada)).not.toContain('bobs');
    },
  );

  it.each(['in-method', 'in-subscription', 'later'])(
    'see nothing of each other’s channels when one starts a stream that all others share (%s)',
    async (when) => {
      const { hub, url } = await start();
      const bob = await listen(`${url}/bob/shared`);
      await bob.next();
      const ada = await listen(`${url}/ada/${when}?room=bobs/secret`, { lastEventId: 'unreadable' });
      await untilSubscribers(hub, 'bobs/secret', 1);
      await hub.publish('bobs/secret', { data: 'more' });
      await bob.until(({ text }) => text === 'more');
      await hub.publish('ada', { data: 'last' });
      await ada.until(({ text }) => text === 'last');
      expect(wireOf(ada)).not.toContain('bobs');
    },
  );

  it.each(['in-method', 'in-subscription', 'later'])(
    'do not begin where the other was, in a stream that all share (%s)',
    async (when) => {
      const { hub, url } = await start();
      const { position } = await hub.history('bobs/secret');
      const before = position.replace(/\d+$/, '0');
      const bob = await listen(`${url}/bob/shared`);
      await bob.next();
      await listen(`${url}/ada/${when}?room=bobs/secret`, { lastEventId: before });
      await untilSubscribers(hub, 'bobs/secret', 1);
      await hub.publish('bobs/secret', { data: 'more' });
      expect(await bob.next()).toMatchObject({ text: 'more' });
    },
  );

  it('see nothing of each other’s channels when an event of one starts the other’s stream', async () => {
    const { hub, url } = await start();
    const bob = await listen(`${url}/bob`);
    const ada = await listen(`${url}/ada/in-pipeline`);
    await bob.next();
    await hub.publish('ada', { data: 'bobs/secret' });
    expect(await bob.next()).toMatchObject({ type: 'bobs', text: 'for bob' });
    await hub.publish('bobs/secret', { data: 'more' });
    expect(await bob.next()).toMatchObject({ text: 'more' });
    await hub.publish('ada', { data: 'last' });
    expect((await ada.take(2)).map(({ text }) => text)).toEqual(['bobs/secret', 'last']);
    // No position in another's channel: an id of several positions has their names.
    expect(blocksOf(ada).filter(({ id }) => id?.includes('='))).toEqual([]);
  });

  it('see no gap of the other’s channels, and keep their own pace', async () => {
    const { hub, url } = await start();
    const bob = await listen(`${url}/bob`, { lastEventId: 'unreadable' });
    const ada = await listen(`${url}/ada/in-pipeline`, { lastEventId: 'unreadable' });
    await bob.next();
    await hub.publish('ada', { data: 'bobs/secret' });
    await untilSubscribers(hub, 'bobs/secret', 1);
    await hub.publish('ada', { data: 'last' });
    const gaps = (await ada.until(({ text }) => text === 'last')).filter(({ type }) => type === 'gap');
    expect(gaps.map(({ data }) => data.channel)).toEqual(['ada']);
    ada.close();
    await untilSubscribers(hub, 'ada', 0);
    await hub.publish('bobs/secret', { data: 'after she left' });
    expect((await bob.until(({ text }) => text === 'after she left')).at(-1)).toMatchObject({ type: 'bobs' });
  });

  it('keep what their own operators begin, whoever publishes', async () => {
    const { hub, url } = await start();
    const bob = await listen(`${url}/bob/follows`);
    await listen(`${url}/ada/publishes?room=bobs/secret`);
    expect(await bob.next()).toMatchObject({
      text: 'for bob',
      id: expect.stringContaining('bobs%2Fsecret='),
    });
    bob.close();
    await hub.publish('bobs/secret', { data: 'meanwhile' });
    // The position is his own, so that he goes on where he was.
    const { lastEventId } = bob;
    const again = await listen(`${url}/bob/follows`, { lastEventId });
    await hub.publish('rooms', { data: 'bobs/secret' });
    expect(await again.next()).toMatchObject({ text: 'meanwhile' });
  });

  it('leave the numbering of a stock stream alone', async () => {
    const { url } = await start();
    const bob = await listen(`${url}/bob`);
    await bob.next();
    const ada = await listen(`${url}/ada/stock?room=bobs/secret`);
    await bob.next();
    await fetch(`${url}/ada/stock`, { method: 'POST' });
    expect(await ada.next()).toMatchObject({ type: 'message', id: '1', text: 'said' });
  });

  it('do not see each other through an ordinary request', async () => {
    const { hub, url } = await start();
    const bob = await listen(`${url}/bob`);
    await bob.next();
    await fetch(`${url}/rooms?room=bobs/secret`);
    expect(await bob.next()).toMatchObject({ type: 'bobs', text: 'for bob' });
    await hub.publish('bobs/secret', { data: 'more' });
    expect(await bob.next()).toMatchObject({ type: 'bobs', text: 'more' });
  });
});

describe('The app’s own AsyncLocalStorage', () => {
  const users = new AsyncLocalStorage<string>();
  const asUser = (app: INestApplication): unknown =>
    app.use((request: { headers: Record<string, string> }, _response: unknown, next: () => void) =>
      users.run(request.headers['x-user'] ?? 'nobody', next),
    );

  it('is that of the stream’s own request in every operator, whoever publishes', async () => {
    @Controller()
    class WhoController {
      constructor(@Inject(SseHub) private readonly hub: SseHub) {}

      @Sse('events')
      events(): Observable<unknown> {
        return this.hub.stream('talk').pipe(
          mergeMap((event) => of(`${String(event.data)} to ${users.getStore()!}`)),
          startWith(`hello ${users.getStore()!}`),
        );
      }

      @Post('talk')
      async say(): Promise<void> {
        await this.hub.publish('talk', { data: `from ${users.getStore()!}` });
      }
    }
    const { url } = await startSseApp({ controllers: [WhoController], configure: asUser });
    const as = (user: string): { headers: Record<string, string> } => ({ headers: { 'x-user': user } });
    const ada = await listen(`${url}/events`, as('ada'));
    const bob = await listen(`${url}/events`, as('bob'));
    await Promise.all([ada.next(), bob.next()]);
    await fetch(`${url}/talk`, { method: 'POST', ...as('ada') });
    await fetch(`${url}/talk`, { method: 'POST', ...as('bob') });
    const heard = async (client: TestStream): Promise<string[]> =>
      (await client.take(2)).map(({ text }) => text);
    expect(await heard(ada)).toEqual(['from ada to ada', 'from bob to ada']);
    expect(await heard(bob)).toEqual(['from ada to bob', 'from bob to bob']);
    expect(ada.events[0]!.text).toBe('hello ada');
  });
});
