import {
  BadRequestException,
  Catch,
  ConflictException,
  Header,
  HttpException,
  IntrinsicException,
  NotFoundException,
  UnauthorizedException,
} from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { UseFilters } from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { concat, defer, from, of, throwError, timer } from 'rxjs';
import { setTimeout as pause } from 'node:timers/promises';
import { answerOf, flavours, flavoursOnEachAdapter, openStream } from './flavours.js';
import { LogRecorder } from './log-recorder.js';

const conflict = (): never => {
  throw new ConflictException('taken');
};
const failLate = (): unknown =>
  timer(5).pipe((late) =>
    concat(
      late,
      throwError(() => new ConflictException('taken')),
    ),
  );

/** Says more than Nest's own filter, and takes its time. */
@Catch(ConflictException)
class TeapotFilter implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  async catch(exception: HttpException, host: ArgumentsHost): Promise<void> {
    await pause(2);
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), { tea: exception.message }, 418);
  }
}

describe.each(flavoursOnEachAdapter)('$name: errors that the adapter answers or writes', (flavour) => {
  const { hasModule } = flavour;
  it.each<[string, () => unknown]>([
    ['the method throws', conflict],
    ['the method rejects', async () => conflict()],
    ['the Observable fails at once', () => throwError(() => new ConflictException('taken'))],
    ['the Observable fails in a microtask', () => from(Promise.reject(new ConflictException('taken')))],
    ['the Observable cannot be made', () => defer(conflict)],
  ])('answers with the status of the error when %s', async (_when, method) => {
    const { status, headers, body } = await answerOf(flavour, method);
    expect(status).toBe(409);
    expect(headers['content-type']).toContain('application/json');
    expect(body).toMatchObject({ statusCode: 409, message: 'taken' });
  });

  it('tells an error after the head in the stream, and ends it', async () => {
    const client = await openStream(flavour, failLate);
    expect(client.status).toBe(200);
    // An id would take the client's place in the stream; Nest numbers it like any other event.
    expect((await client.rest()).at(-1)).toMatchObject({
      type: 'error',
      text: 'taken',
      id: hasModule ? undefined : '2',
    });
    expect(await client.ended()).toBe('ended');
  });

  // On Fastify the answer of Nest's filter has that header too, and fails by it.
  if (flavour.adapter !== 'fastify') {
    it('answers with the error of a header that cannot be sent', async () => {
      const decorate = [Header('X-Custom', 'a\nb')];
      expect((await answerOf(flavour, () => of('x'), { decorate })).status).toBe(500);
    });
  }

  it('hands an error before the head to the exception filters of the method', async () => {
    const { status, body } = await answerOf(flavour, conflict, {
      decorate: [UseFilters(TeapotFilter)],
      providers: [TeapotFilter],
    });
    expect([status, body]).toEqual([418, { tea: 'taken' }]);
  });
});

describe.each(flavours)('$name: errors', (flavour) => {
  const { isOurs, hasModule } = flavour;

  // Of a stock route with any interceptor Nest sends the head before the method has resolved.
  it(`answers an async method that fails late with ${isOurs || !hasModule ? 'its status' : 'an error event'}`, async () => {
    const late = async () => {
      await pause(5);
      return conflict();
    };
    if (isOurs || !hasModule) expect((await answerOf(flavour, late)).status).toBe(409);
    else expect(await (await openStream(flavour, late)).rest()).toMatchObject([{ text: 'taken' }]);
  });

  it('sends what came before the error first', async () => {
    const failing = throwError(() => new NotFoundException('gone'));
    const client = await openStream(flavour, () => concat(of('a', 'b'), timer(5), failing));
    const events = (await client.rest()).map(({ type, text }) => [type, text]);
    expect(events).toEqual([
      ['message', 'a'],
      ['message', 'b'],
      ['message', '0'],
      ['error', 'gone'],
    ]);
  });

  it.each<[string, unknown, string]>([
    ['an HttpException', new BadRequestException('wrong'), 'wrong'],
    ['one around an Error', new UnauthorizedException(new Error('secret')), 'Unauthorized'],
    ['an Error', new Error('secret'), 'Internal server error'],
    [
      'an Error with a status',
      Object.assign(new Error('secret'), { statusCode: 404 }),
      'Internal server error',
    ],
    ['an exposed http-error', httpError(404, true), 'told'],
    ['a hidden http-error', httpError(503, false), 'Service Unavailable'],
    ['an object with a status', { statusCode: 402, message: 'pay' }, 'pay'],
    ['an object with no status of HTTP', { statusCode: 7, message: 'secret' }, 'Internal server error'],
    ['a string', 'secret', 'Internal server error'],
    ['undefined', undefined, 'Internal server error'],
  ])('says of %s in the stream what Nest would say', async (_what, error, said) => {
    const client = await openStream(flavour, () =>
      concat(
        timer(5),
        throwError(() => error),
      ),
    );
    expect((await client.rest()).at(-1)).toMatchObject({ type: 'error', text: said });
  });

  it('logs an error after the head, unless it was thrown to be silent', async () => {
    const log = new LogRecorder();
    const configure = (app: { useLogger(logger: LogRecorder): void }): void => app.useLogger(log);
    const silent = new IntrinsicException('silent');
    const quiet = await openStream(
      flavour,
      () =>
        concat(
          timer(5),
          throwError(() => silent),
        ),
      { configure },
    );
    await quiet.ended();
    const loud = await openStream(
      flavour,
      () =>
        concat(
          timer(5),
          throwError(() => new Error('loud')),
        ),
      { configure },
    );
    await loud.ended();
    expect(log.entries.map(({ level, text }) => `${level}: ${text}`)).toEqual(['error: loud']);
  });

  // Behind any interceptor Nest streams it as an event, and the module brings one.
  const seesWhatReturned = isOurs || !hasModule;

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a value', { data: 'x' }],
    ['a Promise of a value', Promise.resolve({ data: 'x' })],
  ])(
    `answers ${seesWhatReturned ? 500 : 200} when the method returns %s in place of an Observable`,
    async (_what, returned) => {
      const client = await answerOf(flavour, () => returned);
      expect(client.status).toBe(seesWhatReturned ? 500 : 200);
    },
  );

  it('fails with the stream alone when an event cannot be written', async () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const first = await answerOf(flavour, () => of({ data: circle }));
    expect(first.status).toBe(500);
    const later = await openStream(flavour, () => concat(timer(5), of({ data: 1n })));
    expect((await later.rest()).at(-1)).toMatchObject({ type: 'error', text: 'Internal server error' });
  });

  it('hands an error before the head to the exception filters of the app', async () => {
    const providers = [{ provide: APP_FILTER, useClass: TeapotFilter }];
    const failing = () => throwError(() => new ConflictException('taken'));
    const { status, body } = await answerOf(flavour, failing, {
      providers,
    });
    expect([status, body]).toEqual([418, { tea: 'taken' }]);
  });
});

/** An error as the library http-errors makes it. */
function httpError(status: number, expose: boolean): Error {
  return Object.assign(new Error('told'), { status, statusCode: status, expose });
}
