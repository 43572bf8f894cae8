import {
  Controller,
  createParamDecorator,
  ForbiddenException,
  Header,
  HttpCode,
  Inject,
  Injectable,
  Param,
  ParseIntPipe,
  Query,
  Req,
  Res,
  Scope,
  SetMetadata,
  UseGuards,
  VersioningType,
} from '@nestjs/common';
import type { CanActivate, ExecutionContext, INestApplication } from '@nestjs/common';
import { REQUEST, Reflector } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { from, map, of } from 'rxjs';
import type { Observable } from 'rxjs';
import type { OpenStreamOptions, TestStream } from '../../../src/sse/testing/index.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { allData, flavours, flavoursOnEachAdapter, startFlavour } from './flavours.js';

interface AnyRequest {
  readonly headers: Record<string, string | undefined>;
  readonly user?: string;
}

/** Lets in who names a role that the route asks for. */
@Injectable()
class RoleGuard implements CanActivate {
  constructor(@Inject(Reflector) private readonly reflector: Reflector) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const role = context.switchToHttp().getRequest<AnyRequest>().headers['x-role'];
    if (role === 'banned') throw new ForbiddenException('never again');
    return role === this.reflector.get<string>('role', context.getHandler());
  }
}

const User = createParamDecorator(
  (_data: unknown, context: ExecutionContext) =>
    context.switchToHttp().getRequest<AnyRequest>().headers['x-user'],
);

describe.each(flavoursOnEachAdapter)('$name: the route as its adapter serves it', (flavour) => {
  const { Sse, adapter } = flavour;
  it.each([
    ['above', [SetMetadata('role', 'admin'), UseGuards(RoleGuard)], []],
    ['below', [], [SetMetadata('role', 'admin'), UseGuards(RoleGuard)]],
  ] as [string, MethodDecorator[], MethodDecorator[]][])(
    'asks its guards, with what decorators %s it say',
    async (_where, above, below) => {
      @Controller()
      class GuardedController {
        events(): Observable<unknown> {
          return of('in');
        }
      }
      decorate(GuardedController, 'events', [...below, Sse('events'), ...above]);
      const { url } = await startFlavour(flavour, {
        controllers: [GuardedController],
        providers: [RoleGuard],
      });
      const as = (role: string): OpenStreamOptions => ({ headers: { 'x-role': role } });
      expect(await allData(await listen(`${url}/events`, as('admin')))).toEqual(['in']);
      const refusal = { nobody: 'Forbidden resource', banned: 'never again' };
      for (const [role, message] of Object.entries(refusal))
        expect(await answerTo(`${url}/events`, as(role))).toMatchObject({ status: 403, body: { message } });
    },
  );

  it('runs its pipes', async () => {
    @Controller('rooms')
    class RoomsController {
      @Sse(':id/events')
      events(@Param('id', ParseIntPipe) id: number, @Query('name') name: string): Observable<unknown> {
        return of({ data: { id, name } });
      }
    }
    const { url } = await startFlavour(flavour, { controllers: [RoomsController] });
    expect(await allData(await listen(`${url}/rooms/7/events?name=x`))).toEqual(['{"id":7,"name":"x"}']);
    expect((await answerTo(`${url}/rooms/seven/events`)).status).toBe(400);
  });

  it.each(['above', 'below'])(
    'sends the status and the headers that decorators %s it name',
    async (where) => {
      const named = [
        HttpCode(202),
        Header('X-Custom', 'yes'),
        Header('Content-Type', 'text/plain'),
        Header('Retry-After', '7'),
      ];
      @Controller()
      class NamedController {
        events(): Observable<unknown> {
          return of('x');
        }
      }
      decorate(
        NamedController,
        'events',
        where === 'above' ? [Sse('events'), ...named] : [...named, Sse('events')],
      );
      const { url } = await startFlavour(flavour, { controllers: [NamedController] });
      const client = await listen(`${url}/events`);
      expect(client.status).toBe(202);
      expect(client.headers).toMatchObject({
        'x-custom': 'yes',
        'retry-after': '7',
        'content-type': 'text/event-stream',
      });
      expect(await allData(client)).toEqual(['x']);
    },
  );

  it('sends headers and status that the method sets by an injected response', async () => {
    @Controller()
    class PassthroughController {
      @Sse('events')
      async events(
        @Res({ passthrough: true })
        response: {
          header(name: string, value: string): unknown;
          status(code: number): unknown;
        },
      ): Promise<Observable<unknown>> {
        response.header('x-from', 'method');
        response.status(203);
        return from(['a', 'b']);
      }
    }
    const { url } = await startFlavour(flavour, { controllers: [PassthroughController] });
    const client = await listen(`${url}/events`);
    expect(await allData(client)).toEqual(['a', 'b']);
    expect([client.status, client.headers['x-from'], await client.ended()]).toEqual([203, 'method', 'ended']);
  });

  it('works in a controller that is made for each request', async () => {
    @Controller({ path: 'scoped', scope: Scope.REQUEST })
    class ScopedController {
      constructor(@Inject(REQUEST) private readonly request: AnyRequest) {}

      @Sse('events')
      events(): Observable<unknown> {
        return of(this.request.headers['x-user']);
      }
    }
    const { url } = await startFlavour(flavour, { controllers: [ScopedController] });
    const as = (user: string): Promise<TestStream> =>
      listen(`${url}/scoped/events`, { headers: { 'x-user': user } });
    const [ada, bob] = await Promise.all([as('ada'), as('bob')]);
    expect([await allData(ada), await allData(bob)]).toEqual([['ada'], ['bob']]);
  });

  it('has its prefix and its version, and what the middleware has done', async () => {
    @Controller({ path: 'news', version: '2' })
    class NewsController {
      @Sse(':id')
      events(@Req() request: { raw?: AnyRequest } & AnyRequest): Observable<unknown> {
        return of((request.raw ?? request).user);
      }
    }
    const configure = (app: INestApplication): void => {
      app.setGlobalPrefix('api');
      app.enableVersioning({ type: VersioningType.URI });
      useMiddleware(app, adapter, (request, response, next) => {
        request.user = 'ada';
        response.setHeader('x-middleware', 'was here');
        next();
      });
    };
    const { url } = await startFlavour(flavour, { controllers: [NewsController], configure });
    const client = await listen(`${url}/api/v2/news/1`);
    expect(client.headers['x-middleware']).toBe('was here');
    expect(await allData(client)).toEqual(['ada']);
    expect((await answerTo(`${url}/api/v1/news/1`)).status).toBe(404);
  });
});

describe.each(flavours)('$name: the route', (flavour) => {
  const { Sse } = flavour;

  it('gives the method its parameters, and leaves its defaults alone', async () => {
    @Controller()
    class ParameterController {
      @Sse('events/:id')
      events(
        @Req() request: AnyRequest,
        @User() user: string,
        @Param('id') id = 'none',
        @Query('size') size = 'small',
      ): Observable<unknown> {
        return of({ data: [typeof request.headers, user, id, size] });
      }

      @Sse('default')
      default(@Query('a') a: string, b: number = 5, c = a): Observable<unknown> {
        return of({ data: [a, b, c] });
      }
    }
    const { url } = await startFlavour(flavour, { controllers: [ParameterController] });
    const first = await listen(`${url}/events/1`, { headers: { 'x-user': 'ada' } });
    expect(await allData(first)).toEqual(['["object","ada","1","small"]']);
    expect(await allData(await listen(`${url}/default?a=x`))).toEqual(['["x",5,"x"]']);
  });

  it('is inherited, overridden and called by a subclass', async () => {
    abstract class BaseController {
      abstract readonly word: string;

      @Sse('events')
      events(@Query('n') n: string): Observable<unknown> {
        return of(`${this.word} ${n}`);
      }

      @Sse('loud')
      loud(@Query('n') n: string): Observable<unknown> {
        return of(`${this.word} ${n}`);
      }
    }
    @Controller('child')
    class ChildController extends BaseController {
      readonly word = 'child';

      @Sse('loud')
      override loud(@Query('n') n: string): Observable<unknown> {
        return (super.loud(n) as Observable<string>).pipe(map((text) => text.toUpperCase()));
      }
    }
    const { url } = await startFlavour(flavour, { controllers: [ChildController] });
    expect(await allData(await listen(`${url}/child/events?n=1`))).toEqual(['child 1']);
    expect(await allData(await listen(`${url}/child/loud?n=2`))).toEqual(['CHILD 2']);
  });

  it('has a method that can be called without a request, as a unit test does', async () => {
    class PlainController {
      @Sse('events')
      events(@Query('n') n: string): Observable<unknown> {
        return of(`n is ${n}`);
      }
    }
    const seen: unknown[] = [];
    new PlainController().events('5').subscribe((value) => seen.push(value));
    expect(seen).toEqual(['n is 5']);
  });
});

type Middleware = (
  request: { user?: string },
  response: { setHeader(name: string, value: string): void },
  next: () => void,
) => void;

/** Fastify has, in place of middleware, a hook that sees the raw request and response. */
function useMiddleware(app: INestApplication, adapter: string, middleware: Middleware): void {
  if (adapter !== 'fastify') {
    app.use(middleware);
    return;
  }
  type Hook = (
    request: { raw: { user?: string } },
    reply: { header(name: string, value: string): void },
  ) => Promise<void>;
  const fastify = app.getHttpAdapter().getInstance() as { addHook(name: 'onRequest', hook: Hook): void };
  fastify.addHook('onRequest', async (request, reply) =>
    middleware(request.raw, { setHeader: (name, value) => reply.header(name, value) }, () => undefined),
  );
}

/** Applies decorators as if they stood above a method, the last one uppermost. */
function decorate(target: { prototype: object }, key: string, decorators: readonly MethodDecorator[]): void {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, key)!;
  for (const decorator of decorators) decorator(target.prototype, key, descriptor);
  Object.defineProperty(target.prototype, key, descriptor);
}
