import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import fastifyCookie from '@fastify/cookie';
import {
  Catch,
  Controller,
  Header,
  Inject,
  Injectable,
  Req,
  Res,
  SSE_ABORT_CONTROLLER,
  Sse as StockSse,
  SseSignal,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { describe, expect, it } from '@jest/globals';
import type { Response } from 'express';
import session from 'express-session';
import { NEVER, Observable, of } from 'rxjs';
import { AuthorizeChannel, Sse, SseHub } from '../../../src/sse/index.js';
import { eventually } from '../../support/eventually.js';
import { adapters } from '../../support/adapters.js';
import { startSseApp, untilConnections, untilSubscribers } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { LogRecorder } from '../http/log-recorder.js';
import { ServerSockets } from '../http/stalled.js';
import { Wire } from '../http/wire.js';

const passing = UseInterceptors({
  intercept: (_context: ExecutionContext, next: CallHandler) => next.handle(),
});

describe('A session of express-session that a guard has changed', () => {
  class Marks implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      const { session } = context.switchToHttp().getRequest<{ session: Record<string, unknown> }>();
      session['seen'] = true;
      return true;
    }
  }

  @UseGuards(Marks)
  @Controller()
  class NewsController {
    constructor(@Inject(SseHub) private readonly hub: SseHub) {}

    @Sse('direct')
    direct(): Observable<unknown> {
      return this.hub.stream('news');
    }

    @passing
    @Sse('intercepted')
    intercepted(): Observable<unknown> {
      return this.hub.stream('news');
    }

    @StockSse('stock')
    stock(): Observable<unknown> {
      return NEVER;
    }
  }

  it.each(['direct', 'intercepted', 'stock'])('is saved when the client leaves (%s)', async (path) => {
    const store = new session.MemoryStore();
    const saved = (): Promise<number> =>
      new Promise((resolve, reject) => {
        store.length((error: Error | null, count) => (error ? reject(error) : resolve(count ?? 0)));
      });
    const { hub, url } = await startSseApp({
      controllers: [NewsController],
      configure: (app) =>
        app.use(session({ secret: 'secret', resave: false, saveUninitialized: false, store })),
    });
    const client = await listen(`${url}/${path}`);
    expect(client.headers['set-cookie']).toHaveLength(1);
    expect(await saved()).toBe(0);
    client.close();
    await untilConnections(hub, 0);
    await eventually(async () => (await saved()) === 1);
  });
});

describe.each(adapters)('@SseSignal() (%s)', (adapter) => {
  const order: string[] = [];
  const watched = (signal: AbortSignal): Observable<unknown> =>
    new Observable((subscriber) => {
      const told = (): number => order.push('aborted');
      signal.addEventListener('abort', told);
      subscriber.next('hello');
      return () => {
        order.push(`torn down, aborted: ${signal.aborted}`);
        signal.removeEventListener('abort', told);
      };
    });

  @Controller()
  class WatchedController {
    @Sse('direct')
    direct(@SseSignal() signal: AbortSignal): Observable<unknown> {
      return watched(signal);
    }

    @Sse('requested')
    requested(@Req() request: { [SSE_ABORT_CONTROLLER]: AbortController }): Observable<unknown> {
      return watched(request[SSE_ABORT_CONTROLLER].signal);
    }

    @passing
    @Sse('intercepted')
    intercepted(@SseSignal() signal: AbortSignal): Observable<unknown> {
      return watched(signal);
    }

    @StockSse('stock')
    stock(@SseSignal() signal: AbortSignal): Observable<unknown> {
      return watched(signal);
    }
  }

  it.each(['direct', 'requested', 'intercepted', 'stock'])(
    'is aborted before the teardown, which takes listeners off (%s)',
    async (path) => {
      order.length = 0;
      const { url } = await startSseApp({ adapter, controllers: [WatchedController] });
      const client = await listen(`${url}/${path}`);
      await client.next();
      client.close();
      await eventually(() => order.length === 2);
      expect(order).toEqual(['aborted', 'torn down, aborted: true']);
    },
  );
});

describe.each(adapters)('@Header("Cache-Control") (%s)', (adapter) => {
  it('is what is sent, and every other route has that of a stream', async () => {
    @Controller()
    class CachedController {
      @Header('Cache-Control', 'no-cache')
      @Sse('own')
      own(): Observable<unknown> {
        return of('hello');
      }

      @Header('Cache-Control', () => 'max-age=7')
      @Sse('made')
      made(): Observable<unknown> {
        return of('hello');
      }

      @Sse('other')
      other(): Observable<unknown> {
        return of('hello');
      }
    }
    const { url } = await startSseApp({
      adapter,
      controllers: [CachedController],
      configure: (app: INestApplication) =>
        app.use((_request: unknown, response: Response, next: () => void) => {
          response.setHeader('Cache-Control', 'public, max-age=60'); // for all that it serves
          next();
        }),
    });
    const cacheControl = async (path: string): Promise<string | undefined> =>
      (await answerTo(`${url}/${path}`)).headers['cache-control'];
    expect(await cacheControl('own')).toBe('no-cache');
    expect(await cacheControl('made')).toBe('max-age=7');
    expect(await cacheControl('other')).toMatch(/^private, no-cache, no-store.*no-transform$/);
  });
});

describe.each(adapters)('Routes with Nest’s own @Sse() (%s)', (adapter) => {
  @Controller()
  class StockController {
    constructor(@Inject(SseHub) private readonly hub: SseHub) {}

    @StockSse('late')
    async late(@Res({ passthrough: true }) response: Response): Promise<Observable<unknown>> {
      await delay(1);
      response.status(202);
      response.header('x-late', 'set');
      return of({ data: 'hello' });
    }

    @StockSse('news')
    news(): Observable<unknown> {
      return this.hub.stream('news', { replay: 'all' });
    }

    @StockSse('bulk', { maxPendingDataLength: 0 })
    bulk(): Observable<unknown> {
      return new Observable((subscriber) => {
        for (let i = 0; i < 100; i++) subscriber.next({ data: '.'.repeat(64 * 1024) });
        subscriber.complete();
      });
    }
  }

  it('set statuses and headers late, as in Nest alone, where they are left to it', async () => {
    const { url } = await startSseApp({
      adapter,
      sse: { stockRoutes: 'leave' },
      controllers: [StockController],
    });
    const client = await listen(`${url}/late`);
    expect([client.status, client.headers['x-late']]).toEqual([202, 'set']);
    expect(await client.next()).toMatchObject({ id: '1', text: 'hello' });
  });

  it('stream the hub’s events without a place, where they are left to Nest', async () => {
    const { hub, url } = await startSseApp({
      adapter,
      sse: { stockRoutes: 'leave' },
      controllers: [StockController],
    });
    await hub.publish('news', { type: 'paid', data: 1 });
    const client = await listen(`${url}/news`);
    expect(await client.next()).toMatchObject({ type: 'paid', text: '1' });
    expect(hub.stats().connections).toBe(0);
    client.close();
    await untilSubscribers(hub, 'news', 0);
  });

  it('are named in a warning where they are left to Nest, and somebody decides who may listen', async () => {
    @Injectable()
    class NewsAccess {
      @AuthorizeChannel('news')
      mayRead(): boolean {
        return false;
      }
    }
    const log = new LogRecorder();
    await startSseApp({
      adapter,
      sse: { stockRoutes: 'leave' },
      controllers: [StockController],
      providers: [NewsAccess],
      configure: (app) => app.useLogger(log),
    });
    expect(log.entries.map(({ text }) => text)).toEqual([
      expect.stringContaining('StockController.late(), StockController.news(), StockController.bulk()'),
    ]);
  });

  it('keep what maxPendingDataLength lets wait, beyond limits.queuedBytes', async () => {
    const { hub, url } = await startSseApp({
      adapter,
      sse: { limits: { queuedBytes: 1_000 } },
      controllers: [StockController],
    });
    const client = await listen(`${url}/bulk`);
    expect(await client.rest()).toHaveLength(100);
    expect(await client.ended()).toBe('ended');
    expect(hub.stats().connections).toBe(0);
  });
});

describe.each(adapters)(
  'A client that leaves while an exception filter is still answering (%s)',
  (adapter) => {
    it('lets it answer', async () => {
      const gate = new EventEmitter();
      @Catch()
      class SlowFilter implements ExceptionFilter {
        async catch(_error: unknown, host: ArgumentsHost): Promise<void> {
          gate.emit('caught');
          await once(gate, 'open');
          const reply = host.switchToHttp().getResponse<Response>();
          reply.status(418).send({ message: 'late' });
          gate.emit('answered');
        }
      }
      @Controller()
      class FailingController {
        @Sse('direct')
        direct(): Observable<unknown> {
          throw new Error('secret');
        }

        @passing
        @Sse('intercepted')
        intercepted(): Observable<unknown> {
          throw new Error('secret');
        }
      }
      const { server, url } = await startSseApp({
        adapter,
        controllers: [FailingController],
        configure: (app) => app.useGlobalFilters(new SlowFilter()),
      });
      for (const path of ['direct', 'intercepted']) {
        const sockets = new ServerSockets({ server });
        const caught = once(gate, 'caught');
        const wire = await Wire.get(`${url}/${path}`);
        await caught;
        wire.leave();
        await eventually(() => sockets.open.size === 0);
        const answered = once(gate, 'answered');
        gate.emit('open');
        await answered;
      }
    });
  },
);

describe('Cookies of @fastify/cookie', () => {
  const setting = (set: (reply: CookieReply) => void): CanActivate => ({
    canActivate: (context) => {
      set(context.switchToHttp().getResponse());
      return true;
    },
  });
  interface CookieReply {
    header(name: string, value: string): void;
    setCookie(name: string, value: string): void;
  }

  @Controller()
  class CookieController {
    @UseGuards(setting((reply) => reply.setCookie('token', 'renewed')))
    @Sse('by-hook')
    byHook(): Observable<unknown> {
      return NEVER;
    }

    @UseGuards(setting((reply) => reply.header('set-cookie', 'token=renewed')))
    @Sse('by-header')
    byHeader(): Observable<unknown> {
      return NEVER;
    }
  }

  it('are sent where they are set as a header: the hook of setCookie() does not run for streams', async () => {
    const { url } = await startSseApp({
      adapter: 'fastify',
      controllers: [CookieController],
      configure: (app) => (app as NestFastifyApplication).register(fastifyCookie as never),
    });
    expect((await answerTo(`${url}/by-hook`)).headers['set-cookie']).toBeUndefined();
    expect((await answerTo(`${url}/by-header`)).headers['set-cookie']).toEqual(['token=renewed']);
  });
});
