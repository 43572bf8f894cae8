import { setTimeout as delay } from 'node:timers/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import {
  Controller,
  ForbiddenException,
  Get,
  Inject,
  Module,
  Param,
  Res,
  Scope,
  SseSignal,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Response } from 'express';
import { concat, NEVER, of, type Observable } from 'rxjs';
import { Sse, SseHub, SseModule } from '../../../src/sse/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { adapters, makeAdapter } from '../../support/adapters.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Has everything that somebody has said of a function said of another, as Nest asks those who wrap. */
function described(wrapper: Method, method: Method): Method {
  for (const key of Reflect.getMetadataKeys(method))
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), wrapper);
  return wrapper;
}

/** Wraps a method, as decorators of tracing and of transactions do. */
const Traced = (): MethodDecorator => (_target, _key, descriptor: PropertyDescriptor) => {
  const method = descriptor.value as Method;
  descriptor.value = described(function (this: unknown, ...args) {
    return method.apply(this, args);
  }, method);
};

@Controller()
class WrappedController {
  readonly #hub: SseHub;

  constructor(@Inject(SseHub) hub: SseHub) {
    this.#hub = hub;
  }

  @Traced()
  @Sse('above')
  above(): Observable<unknown> {
    return this.#hub.stream('news');
  }

  @Sse('below')
  @Traced()
  below(): Observable<unknown> {
    return this.#hub.stream('news');
  }

  @Traced()
  @Sse('around/:id')
  @Traced()
  async around(@Param('id') id: string, @SseSignal() signal: AbortSignal): Promise<Observable<unknown>> {
    await delay(1, undefined, { signal });
    return this.#hub.stream(`news/${id}`);
  }

  @Sse('twice')
  @Sse('once')
  twice(): Observable<unknown> {
    return this.#hub.stream('news');
  }

  @Traced()
  @Sse('late')
  async late(): Promise<Observable<unknown>> {
    await delay(50);
    throw new ForbiddenException();
  }
}

class Passes implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

@UseInterceptors(Passes)
@Controller('intercepted')
class InterceptedController extends WrappedController {}

@Controller({ path: 'own', scope: Scope.REQUEST })
class OwnController extends WrappedController {}

const controllers = [WrappedController, InterceptedController, OwnController];
const prefixes = ['', 'intercepted/', 'own/'];

/** Each adapter with the first prefix, and Express with the others. */
const everywhere = [
  ...adapters.map((adapter) => ({ adapter, prefix: prefixes[0]! })),
  ...prefixes.slice(1).map((prefix) => ({ adapter: 'express' as const, prefix })),
];

/** One request is one connection, which gets what is published and is gone when its client is. */
async function expectOneConnection(
  { hub, url }: { hub: SseHub; url: string },
  path: string,
  channel = 'news',
): Promise<void> {
  const client = await listen(`${url}/${path}`);
  expect([path, client.status]).toEqual([path, 200]);
  expect(hub.stats().connections).toBe(1);
  await hub.publish(channel, { type: 'paid', data: path });
  expect(await client.next()).toMatchObject({ type: 'paid', text: path });
  client.close();
  await untilConnections(hub, 0);
}

describe.each(everywhere)('A method that is wrapped ($adapter, $prefix)', ({ adapter, prefix }) => {
  it('is served, by whatever decorators above and below', async () => {
    const app = await startSseApp({ adapter, controllers });
    await expectOneConnection(app, `${prefix}above`);
    await expectOneConnection(app, `${prefix}below`);
    await expectOneConnection(app, `${prefix}around/7`, 'news/7');
    await expectOneConnection(app, `${prefix}twice`);
  });

  it('fails with the status of its error, also when that comes late', async () => {
    const { url } = await startSseApp({ adapter, controllers });
    const client = await answerTo(`${url}/${prefix}late`);
    expect(client.status).toBe(403);
  });
});

/** Wraps a method in what does more than to hand on. */
const Around =
  (around: (call: () => unknown) => unknown): MethodDecorator =>
  (_target, _key, descriptor: PropertyDescriptor) => {
    const method = descriptor.value as Method;
    descriptor.value = described(function (this: unknown, ...args) {
      return around(() => method.apply(this, args));
    }, method);
  };

describe('What a decorator above @Sse() gives in place of the method’s stream', () => {
  @Controller()
  class AroundController {
    #attempts = 0;

    @Around(async (call) => {
      try {
        return await call();
      } catch {
        return of('fallback');
      }
    })
    @Sse('fallback')
    fallback(): Observable<unknown> {
      throw new Error('secret');
    }

    @Around(() => of('cached'))
    @Sse('cached')
    cached(): Observable<unknown> {
      return NEVER;
    }

    @Around(async (call) => {
      for (;;) {
        try {
          return await call();
        } catch {
          // once more
        }
      }
    })
    @Sse('retried')
    async retried(): Promise<Observable<unknown>> {
      if (++this.#attempts < 3) throw new Error('secret');
      return of('third');
    }

    @Around((call) => concat(call() as Observable<unknown>, of('more')))
    @Sse('more')
    more(): Observable<unknown> {
      return of('first');
    }
  }

  it.each([
    ['fallback', ['fallback']],
    ['cached', ['cached']],
    ['retried', ['third']],
    ['more', ['first', 'more']],
  ])('is what is streamed (%s)', async (path, expected) => {
    const { url } = await startSseApp({ controllers: [AroundController] });
    const client = await listen(`${url}/${path}`);
    expect((await client.rest()).map(({ text }) => text)).toEqual(expected);
  });
});

describe.each(adapters)('A method that injects the response itself (%s)', (adapter) => {
  it('streams on, with passthrough and without', async () => {
    @Controller()
    class ResponseController {
      @Sse('passthrough')
      passthrough(@Res({ passthrough: true }) response: Response): Observable<unknown> {
        response.header('x-own', 'set');
        return concat(of('hello'), NEVER);
      }

      @Sse('plain')
      plain(@Res() response: Response): Observable<unknown> {
        response.header('x-own', 'set');
        return concat(of('hello'), NEVER);
      }
    }
    const { hub, url } = await startSseApp({ adapter, controllers: [ResponseController] });
    for (const path of ['passthrough', 'plain']) {
      const client = await listen(`${url}/${path}`);
      expect(client.headers['x-own']).toBe('set');
      expect(await client.next()).toMatchObject({ text: 'hello' });
      expect((await fetch(`${url}/none`)).status).toBe(404);
      expect(hub.stats().connections).toBe(1);
      client.close();
      await untilConnections(hub, 0);
    }
  });
});

/** The controllers in an application made by `NestFactory`, as it takes options that those of tests do not. */
async function startWith(
  options: { instanceDecorator?: (instance: unknown) => unknown; interceptor?: Type } = {},
): Promise<{ hub: SseHub; url: string }> {
  const { instanceDecorator, interceptor } = options;
  @Module({
    imports: [SseModule.forRoot()],
    controllers,
    providers: interceptor ? [{ provide: APP_INTERCEPTOR, useClass: interceptor }] : [],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, await makeAdapter('express'), {
    logger: false,
    ...(instanceDecorator && { instrument: { instanceDecorator } }),
  });
  whenTestEnds(() => app.close());
  await app.listen(0, '127.0.0.1');
  return { hub: app.get(SseHub), url: (await app.getUrl()).replace('[::1]', '127.0.0.1') };
}

/** Gives a proxy whose methods run on the object behind it, as observability tools do. */
function proxied(instance: unknown): unknown {
  if (typeof instance !== 'object' || instance === null || instance.constructor.name.startsWith('Sse'))
    return instance;
  return new Proxy(instance, {
    get(target, key): unknown {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function' || key === 'constructor') return value;
      return described(function (this: unknown, ...args) {
        return (value as Method).apply(target, args);
      }, value as Method);
    },
  });
}

describe('An application whose instances are proxies', () => {
  it.each(prefixes)('serves its routes (%s)', async (prefix) => {
    const app = await startWith({ instanceDecorator: proxied });
    await expectOneConnection(app, `${prefix}above`);
    await expectOneConnection(app, `${prefix}below`);
    await expectOneConnection(app, `${prefix}around/7`, 'news/7');
  });
});

describe('An application whose handlers are wrapped where Nest makes routes of them', () => {
  let restore: (() => void) | undefined;
  afterEach(() => restore?.());

  /** What instrumentations do that patch Nest. */
  async function wrapHandlers(): Promise<void> {
    const file = createRequire(import.meta.url)
      .resolve('@nestjs/core')
      .replace(/index\.js$/, 'router/router-execution-context.js');
    const { RouterExecutionContext } = (await import(pathToFileURL(file).href)) as {
      RouterExecutionContext: { prototype: { create: Method } };
    };
    const { prototype } = RouterExecutionContext;
    const { create } = prototype;
    prototype.create = function (this: unknown, instance, handler, ...rest) {
      const wrapped = described(function (this: unknown, ...args) {
        return (handler as Method).apply(this, args);
      }, handler as Method);
      return create.call(this, instance, wrapped, ...rest);
    };
    restore = () => (prototype.create = create);
  }

  it.each(prefixes)('serves each request once (%s)', async (prefix) => {
    await wrapHandlers();
    const app = await startWith();
    await expectOneConnection(app, `${prefix}above`);
    await expectOneConnection(app, `${prefix}below`);
  });

  it.each(prefixes)('serves each request once with a global interceptor (%s)', async (prefix) => {
    await wrapHandlers();
    const app = await startWith({ interceptor: Passes });
    await expectOneConnection(app, `${prefix}above`);
    await expectOneConnection(app, `${prefix}below`);
  });
});

describe('Two applications of one process with the same controllers', () => {
  it('serve each their own clients', async () => {
    const [one, other] = await Promise.all([startSseApp({ controllers }), startSseApp({ controllers })]);
    const client = await listen(`${one.url}/above`);
    const others = await listen(`${other.url}/above`);
    expect([one.hub.stats().connections, other.hub.stats().connections]).toEqual([1, 1]);
    await one.hub.publish('news', { data: 'one' });
    await other.hub.publish('news', { data: 'other' });
    expect(await client.next()).toMatchObject({ text: 'one' });
    expect(await others.next()).toMatchObject({ text: 'other' });
  });
});

describe('A method that overrides a route', () => {
  it('calls the one it overrides as an ordinary method', async () => {
    @Controller('derived')
    class DerivedController extends WrappedController {
      @Sse('above')
      override above(): Observable<unknown> {
        return super.above();
      }

      @Get('page')
      page(): string {
        return typeof super.above();
      }
    }
    const app = await startSseApp({ controllers: [DerivedController] });
    await expectOneConnection(app, 'derived/above');
    expect(await (await fetch(`${app.url}/derived/page`)).text()).toBe('object');
  });
});
