import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import {
  Controller,
  ForbiddenException,
  Get,
  Inject,
  Injectable,
  Sse as StockSse,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import {
  concat,
  interval,
  map,
  merge,
  Observable,
  of,
  repeat,
  retry,
  startWith,
  Subject,
  switchMap,
  take,
} from 'rxjs';
import { isSseRoute, Sse, SseHub } from '../../../src/sse/index.js';
import { adapters } from '../../support/adapters.js';
import { startSseApp, untilConnections, untilSubscribers } from '../../support/sse-app.js';
import type { SseApp, SseAppOptions } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { LogRecorder } from '../http/log-recorder.js';
import { Wire } from '../http/wire.js';
import { change, openEndpoint, startEndpointApp } from '../endpoint/endpoint-app.js';

let begun = 0;
let open = 0;
/** Says one thing, and counts who is subscribed. */
const counted = new Observable((subscriber) => {
  begun++;
  open++;
  subscriber.next({ type: 'hello', data: 'hello' });
  return () => open--;
});

@Controller()
class NewsController {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @Sse('news')
  news(): Observable<unknown> {
    return this.hub.stream('news');
  }

  @Sse('counted')
  counted(): Observable<unknown> {
    return counted;
  }

  @StockSse('stock')
  stock(): Observable<unknown> {
    return this.hub.stream('news');
  }

  @Get('page')
  page(): string {
    return 'page';
  }
}

const using =
  (interceptor: NestInterceptor) =>
  (app: INestApplication): unknown =>
    app.useGlobalInterceptors(interceptor);

/** This file loads classes of the endpoint's application as well. */
const startApp = (options: SseAppOptions): Promise<SseApp> =>
  startSseApp({ sse: { strictHandlers: false }, ...options });

/** The news behind an interceptor, with what is logged of them. */
async function startNews(interceptor: NestInterceptor): Promise<SseApp & { readonly log: LogRecorder }> {
  const log = new LogRecorder();
  const configure = (app: INestApplication): void => {
    app.useLogger(log);
    app.useGlobalInterceptors(interceptor);
  };
  return { ...(await startApp({ controllers: [NewsController], configure })), log };
}

const storage = new AsyncLocalStorage<string>();

/** Enters a context after some work of its own, and hands on what it is given without ever unsubscribing. */
const entering: NestInterceptor = {
  intercept: (_context, next) =>
    new Observable((subscriber) => {
      void storage.run('ada', async () => {
        await Promise.resolve();
        next.handle().subscribe({
          next: (value) => {
            subscriber.next(value);
          },
          error: (error) => {
            subscriber.error(error);
          },
          complete: () => {
            subscriber.complete();
          },
        });
      });
    }),
};

describe('An interceptor that subscribes for itself', () => {
  const options = { controllers: [NewsController], configure: using(entering) };

  it('leaves nothing behind when the client leaves', async () => {
    const { hub, url } = await startApp(options);
    const client = await listen(`${url}/news`);
    await untilSubscribers(hub, 'news', 1);
    client.close();
    await untilConnections(hub, 0);
    expect(await hub.subscriberCount('news')).toBe(0);
  });

  it('leaves nothing behind of a stream that is not the hub’s', async () => {
    const { hub, url } = await startApp(options);
    const before = open;
    const client = await listen(`${url}/counted`);
    expect(await client.next()).toMatchObject({ text: 'hello' });
    expect(open).toBe(before + 1);
    client.close();
    await untilConnections(hub, 0);
    expect(open).toBe(before);
  });

  it('streams, and resumes where the client was', async () => {
    const { hub, url } = await startApp(options);
    const client = await listen(`${url}/news`);
    await hub.publish('news', { type: 'paid', data: 1 });
    expect(await client.next()).toMatchObject({ type: 'paid', text: '1' });
    client.close();
    await hub.publish('news', { type: 'paid', data: 2 });
    const again = await listen(`${url}/news`, { lastEventId: client.lastEventId });
    expect(await again.next()).toMatchObject({ type: 'paid', text: '2' });
  });

  it('lets clients of the endpoint join channels', async () => {
    const { hub, url } = await startEndpointApp({}, { configure: using(entering) });
    const { client, id } = await openEndpoint(url, ['rooms/a']);
    expect(await change(url, id, { join: ['rooms/b'] })).toMatchObject({
      status: 200,
      body: { joined: ['rooms/b'] },
    });
    await hub.publish('rooms/b', { data: 'hello' });
    expect(await client.next()).toMatchObject({ text: 'hello' });
  });

  it('enters a context that methods and operators are in, whoever publishes', async () => {
    const told = (type: string): { type: string; data: unknown } => ({ type, data: storage.getStore() });
    const { hub, url } = await startApp({
      configure: using(entering),
      routes: {
        who: (own) =>
          own.stream('news').pipe(
            map(() => told('operator')),
            startWith(told('method')),
            switchMap((event) =>
              concat(
                of(event),
                interval(1).pipe(
                  take(1),
                  map(() => told('timer')),
                ),
              ),
            ),
          ),
      },
    });
    const client = await listen(`${url}/who`);
    await client.take(2);
    await hub.publish('news', { data: 1 });
    await client.take(2);
    expect(client.events.map(({ type, text }) => `${type} ${text}`)).toEqual([
      'method ada',
      'timer ada',
      'operator ada',
      'timer ada',
    ]);
  });

  it('begins no stream for a client that left while the method worked', async () => {
    const done = new EventEmitter();
    const { hub, url } = await startApp({
      configure: using(entering),
      routes: {
        late: async () => {
          await once(done, 'done');
          return counted;
        },
      },
    });
    const before = begun;
    const wire = await Wire.get(`${url}/late`);
    await untilConnections(hub, 1);
    wire.leave();
    await untilConnections(hub, 0);
    done.emit('done');
    await fetch(`${url}/page`);
    expect(begun).toBe(before);
  });

  it.each([
    ['repeats', repeat()],
    ['retries', retry()],
  ])('leaves nothing behind where it %s', async (_what, again) => {
    const before = open;
    const { hub, url } = await startApp({
      controllers: [NewsController],
      configure: using({
        intercept: (context, next) =>
          entering.intercept(context, { handle: () => next.handle().pipe(again) }),
      }),
    });
    const client = await listen(`${url}/counted`);
    await client.next();
    client.close();
    await untilConnections(hub, 0);
    expect((await fetch(`${url}/none`)).status).toBe(404);
    expect(open).toBe(before);
  });

  it('leaves nothing behind where it subscribes twice', async () => {
    const before = open;
    const { hub, url } = await startApp({
      controllers: [NewsController],
      configure: using({
        intercept: (_context, next) =>
          new Observable((subscriber) => {
            for (let i = 0; i < 2; i++) next.handle().subscribe((value) => subscriber.next(value));
          }),
      }),
    });
    const client = await listen(`${url}/counted`);
    await client.take(2);
    expect(open).toBe(before + 2);
    client.close();
    await untilConnections(hub, 0);
    expect(open).toBe(before);
  });

  it('takes two async iterables at the pace of the client', async () => {
    async function* many(): AsyncGenerator<{ data: string }> {
      for (let i = 0; i < 300; i++) yield { data: '.'.repeat(10_000) };
    }
    const { url } = await startApp({
      configure: using({ intercept: (_context, next) => merge(next.handle(), next.handle()) }),
      routes: { many: many as never },
    });
    expect(await (await listen(`${url}/many`)).rest()).toHaveLength(600);
  });

  it('leads to no method for a client that left while it worked', async () => {
    let called = 0;
    const left = new EventEmitter();
    const { hub, url } = await startApp({
      configure: using({
        intercept: (_context, next) =>
          new Observable(() => {
            left.once('left', () => next.handle().subscribe());
          }),
      }),
      routes: {
        news: (own) => {
          called++;
          return own.stream('news');
        },
      },
    });
    const wire = await Wire.get(`${url}/news`);
    await untilConnections(hub, 1);
    wire.leave();
    await untilConnections(hub, 0);
    left.emit('left');
    await fetch(`${url}/page`);
    expect(called).toBe(0);
  });
});

/** Wraps what routes return, as the guide of Nest shows it, but for what it takes for a stream. */
const wrapping = (isStream: (context: ExecutionContext) => boolean): NestInterceptor => ({
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return isStream(context) ? next.handle() : next.handle().pipe(map((data: unknown) => ({ data })));
  },
});

const knowingStreams = {
  'by the mark of Nest': (context: ExecutionContext) =>
    Reflect.getMetadata('__sse__', context.getHandler()) === true,
  'by isSseRoute()': isSseRoute,
};

describe.each(Object.entries(knowingStreams))(
  'A response envelope that knows streams %s',
  (_how, isStream) => {
    it('spares them, and wraps everything else', async () => {
      const configure = using(wrapping(isStream));
      const { hub, url } = await startApp({ controllers: [NewsController], configure });
      for (const path of ['news', 'stock']) {
        const client = await listen(`${url}/${path}`);
        await untilSubscribers(hub, 'news', 1);
        await hub.publish('news', { type: 'paid', data: path });
        expect(await client.next()).toMatchObject({ type: 'paid', text: path });
        client.close();
        await untilConnections(hub, 0);
      }
      expect(await (await fetch(`${url}/page`)).json()).toEqual({ data: 'page' });
    });

    it('spares the ready-made endpoint', async () => {
      const { hub, url } = await startEndpointApp({}, { configure: using(wrapping(isStream)) });
      const { client } = await openEndpoint(url, ['rooms/a']);
      await hub.publish('rooms/a', { type: 'said', data: 'hello' });
      expect(await client.next()).toMatchObject({ type: 'said', text: 'hello' });
    });
  },
);

describe('A response envelope that knows no streams', () => {
  class Envelope implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(map((data: unknown) => ({ success: true, data })));
    }
  }

  it('is named once for each route, and what to do', async () => {
    const { hub, url, log } = await startNews(new Envelope());
    const clients = [await listen(`${url}/news`), await listen(`${url}/news`)];
    for (const data of [1, 2]) await hub.publish('news', { type: 'paid', data });
    for (const client of clients) await client.take(2);
    expect(log.entries.map(({ text }) => text)).toEqual([
      'An interceptor changes the events of NewsController.news(), and their types are lost: Envelope. Let it pass streams by: if (isSseRoute(context)) return next.handle().',
    ]);
  });

  it('keeps the places of events, so that the client resumes', async () => {
    const configure = using(new Envelope());
    const { hub, url } = await startApp({ controllers: [NewsController], configure });
    const client = await listen(`${url}/news`);
    for (const data of [1, 2]) await hub.publish('news', { data });
    await client.next();
    const [first] = client.events;
    client.close();
    const again = await listen(`${url}/news`, { lastEventId: first!.id! });
    expect((await again.next()).data).toMatchObject({ data: 2 });
  });

  it('is named where the events have no type, too', async () => {
    const { hub, url, log } = await startNews(new Envelope());
    const client = await listen(`${url}/news`);
    await hub.publish('news', { data: 1 });
    await client.next();
    expect(log.entries).toHaveLength(1);
  });
});

describe('An interceptor that changes events and keeps their types', () => {
  const own = new Subject<unknown>();
  const harmless: Record<string, NestInterceptor['intercept']> = {
    'by a copy': (_context, next) =>
      next.handle().pipe(map((event: { data: unknown }) => ({ ...event, data: [event.data] }))),
    'by a Promise': (_context, next) =>
      next.handle().pipe(map(async (event: { data: unknown }) => ({ ...event, data: [event.data] }))),
    'and adds some of its own': (_context, next) =>
      merge(next.handle().pipe(map((event: { data: unknown }) => ({ ...event, data: [event.data] }))), own),
  };

  it.each(Object.keys(harmless))('is not named (%s)', async (how) => {
    const { hub, url, log } = await startNews({ intercept: harmless[how]! });
    const client = await listen(`${url}/news`);
    await hub.publish('news', { data: 1 });
    await hub.publish('news', { type: 'paid', data: 2 });
    expect((await client.take(2)).map(({ text }) => text)).toEqual(['[1]', '[2]']);
    if (own.observed) {
      own.next({ data: 'own' });
      expect(await client.next()).toMatchObject({ text: 'own' });
    }
    expect(log.entries).toEqual([]);
  });
});

describe.each(adapters)('isSseRoute() in a guard (%s)', (adapter) => {
  @Injectable()
  class OnlyStreams implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      if (isSseRoute(context)) return true;
      throw new ForbiddenException();
    }
  }

  it('knows the streams of both decorators', async () => {
    const providers = [{ provide: APP_GUARD, useClass: OnlyStreams }];
    const { url } = await startApp({ adapter, controllers: [NewsController], providers });
    for (const path of ['news', 'stock']) expect((await answerTo(`${url}/${path}`)).status).toBe(200);
    expect((await fetch(`${url}/page`)).status).toBe(403);
  });
});
