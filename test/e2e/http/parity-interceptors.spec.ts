import {
  ConflictException,
  Controller,
  Inject,
  Injectable,
  Module,
  Scope,
  UseInterceptors,
} from '@nestjs/common';
import type { CallHandler, ExecutionContext, INestApplication, NestInterceptor, Type } from '@nestjs/common';
import { APP_INTERCEPTOR, REQUEST } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import {
  catchError,
  concat,
  defer,
  delay,
  EMPTY,
  map,
  mergeMap,
  NEVER,
  of,
  retry,
  tap,
  throwError,
  timer,
} from 'rxjs';
import type { Observable } from 'rxjs';
import { setTimeout as pause } from 'node:timers/promises';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { answerTo, listen } from '../../support/open-stream.js';
import {
  allData,
  answerOf,
  flavours,
  flavoursOnEachAdapter,
  openStream,
  startFlavour,
  streaming,
} from './flavours.js';
import type { Served } from './flavours.js';

type Around = (stream: Observable<string>) => Observable<unknown>;

/** An interceptor class that does something to every stream. */
function interceptor(around: Around): Type<NestInterceptor> {
  @Injectable()
  class AroundInterceptor implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
      return around(next.handle() as Observable<string>);
    }
  }
  return AroundInterceptor;
}

const appends = (letter: string): Type<NestInterceptor> =>
  interceptor((stream) => stream.pipe(map((text) => text + letter)));

describe.each(flavoursOnEachAdapter)('$name: interceptors that touch the head', (flavour) => {
  it('may be asynchronous, and refuse', async () => {
    @Injectable()
    class AsyncInterceptor implements NestInterceptor {
      async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
        await Promise.resolve();
        if (context.switchToHttp().getRequest<{ headers: object }>().headers['x-no' as never])
          throw new ConflictException('no');
        return next.handle().pipe(map((text) => text.toUpperCase()));
      }
    }
    const controllers = [streaming(flavour, () => of('a'), [UseInterceptors(AsyncInterceptor)])];
    const { url } = await startFlavour(flavour, { controllers });
    expect(await allData(await listen(`${url}/events`))).toEqual(['A']);
    expect((await answerTo(`${url}/events`, { headers: { 'x-no': '1' } })).status).toBe(409);
  });

  it('may turn an error before the head into another', async () => {
    const conflict = interceptor((stream) =>
      stream.pipe(catchError(() => throwError(() => new ConflictException()))),
    );
    const fails = defer(() => {
      throw new Error('x');
    });
    const client = await answerOf(flavour, () => fails, { decorate: [UseInterceptors(conflict)] });
    expect(client.status).toBe(409);
  });

  it('may set a header before the head is sent', async () => {
    @Injectable()
    class HeaderInterceptor implements NestInterceptor {
      intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
        context
          .switchToHttp()
          .getResponse<{ header(name: string, value: string): void }>()
          .header('x-by', 'interceptor');
        return next.handle();
      }
    }
    const client = await openStream(flavour, () => NEVER, {
      providers: [{ provide: APP_INTERCEPTOR, useClass: HeaderInterceptor }],
    });
    expect(client.headers['x-by']).toBe('interceptor');
  });
});

describe.each(flavours)('$name: interceptors', (flavour) => {
  const { isOurs, Sse } = flavour;

  it('map the stream, the class before the app', async () => {
    @UseInterceptors(appends('c'))
    @Controller('feature')
    class FeatureController {
      @Sse('events')
      @UseInterceptors(appends('m'))
      events(): Observable<unknown> {
        return of('x');
      }
    }
    @Module({
      controllers: [FeatureController],
      providers: [{ provide: APP_INTERCEPTOR, useClass: appends('p') }],
    })
    class FeatureModule {}
    const configure = (app: INestApplication): unknown => app.useGlobalInterceptors(new (appends('g'))());
    const { url } = await startFlavour(flavour, { imports: [FeatureModule], configure });
    expect(await allData(await listen(`${url}/feature/events`))).toEqual(['xmcgp']);
  });

  it.each<[string, Served]>([
    ['APP_INTERCEPTOR', { providers: [{ provide: APP_INTERCEPTOR, useClass: appends('!') }] }],
    ['useGlobalInterceptors()', { configure: (app) => app.useGlobalInterceptors(new (appends('!'))()) }],
  ])('map the stream when there is none but the %s of the app', async (_which, served) => {
    expect(await allData(await openStream(flavour, () => of('x'), served))).toEqual(['x!']);
  });

  it.each<[string, Around, string[]]>([
    ['delay events', (stream) => stream.pipe(delay(2)), ['a', 'b']],
    [
      'make several of one',
      (stream) => stream.pipe(mergeMap((text) => of(text, text))),
      ['a', 'a', 'b', 'b'],
    ],
    ['wait for something', (stream) => timer(2).pipe(mergeMap(() => stream)), ['a', 'b']],
    ['hide everything', (stream) => stream.pipe(mergeMap(() => EMPTY)), []],
    ['answer in place of the method', () => of('cached'), ['cached']],
    [
      'replace an error',
      (stream) =>
        concat(
          stream,
          throwError(() => new Error('x')),
        ).pipe(catchError(() => of('instead'))),
      ['a', 'b', 'instead'],
    ],
  ])('may %s', async (_what, around, data) => {
    const client = await openStream(flavour, () => of('a', 'b'), {
      decorate: [UseInterceptors(interceptor(around))],
    });
    expect([client.status, await allData(client)]).toEqual([200, data]);
  });

  it('may fail on the first event, and it is an answer like any other', async () => {
    const picky = interceptor((stream) =>
      stream.pipe(
        map(() => {
          throw new ConflictException('no');
        }),
      ),
    );
    const client = await answerOf(flavour, () => of('a'), { decorate: [UseInterceptors(picky)] });
    expect(client.status).toBe(409);
  });

  it('may call the method again', async () => {
    let calls = 0;
    const method = (): Observable<unknown> =>
      ++calls < 3 ? throwError(() => new Error('not yet')) : of('a', 'b');
    const client = await openStream(flavour, method, {
      decorate: [UseInterceptors(interceptor((stream) => stream.pipe(retry(5))))],
    });
    expect([client.status, await allData(client), calls]).toEqual([200, ['a', 'b'], 3]);
  });

  it(`of a method that fails late leave it ${isOurs ? 'its status' : 'an error event, as in Nest'}`, async () => {
    const fails = async (): Promise<never> => {
      await pause(5);
      throw new ConflictException('taken');
    };
    const decorate = [UseInterceptors(appends('x'))];
    if (isOurs) expect((await answerOf(flavour, fails, { decorate })).status).toBe(409);
    else expect((await (await openStream(flavour, fails, { decorate })).rest())[0]?.text).toBe('taken');
  });

  it('see the end of a stream whose client leaves', async () => {
    let finished: () => void;
    const ended = new Promise<void>((resolve) => (finished = resolve));
    const watching = interceptor((stream) => stream.pipe(tap({ finalize: () => finished() })));
    const client = await openStream(flavour, () => NEVER, { decorate: [UseInterceptors(watching)] });
    client.drop('fin');
    await ended;
  });

  it('may be made for each request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class UserInterceptor implements NestInterceptor {
      constructor(@Inject(REQUEST) private readonly request: { headers: Record<string, string> }) {}

      intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle().pipe(map((text) => `${String(text)} for ${this.request.headers['x-user']}`));
      }
    }
    const providers = [{ provide: APP_INTERCEPTOR, scope: Scope.REQUEST, useClass: UserInterceptor }];
    const { url } = await startFlavour(flavour, {
      controllers: [streaming(flavour, () => of('x'))],
      providers,
    });
    const as = (user: string): Promise<TestStream> =>
      listen(`${url}/events`, { headers: { 'x-user': user } });
    const [ada, bob] = await Promise.all([as('ada'), as('bob')]);
    expect([await allData(ada), await allData(bob)]).toEqual([['x for ada'], ['x for bob']]);
  });
});
