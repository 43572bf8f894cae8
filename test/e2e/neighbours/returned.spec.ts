import { EventEmitter, once } from 'node:events';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Controller, SseSignal, UseInterceptors, type Type } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { of, type Observable } from 'rxjs';
import { Sse } from '../../../src/sse/index.js';
import { adapters } from '../../support/adapters.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { eventually } from '../../support/eventually.js';
import { LogRecorder } from '../http/log-recorder.js';
import { Wire } from '../http/wire.js';
import { big, numberOf, numbers, ServerSockets } from '../http/stalled.js';

const passing = { intercept: (_context: unknown, next: { handle(): Observable<unknown> }) => next.handle() };
const direct = adapters.map((adapter) => ({ adapter, how: 'directly', decorate: [] }));
const ways = [
  ...direct,
  { adapter: 'express' as const, how: 'through an interceptor', decorate: [UseInterceptors(passing)] },
];

/** A controller whose `GET /events` is this function, whatever it returns. */
function returning(method: (signal: AbortSignal) => unknown, decorate: MethodDecorator[] = []): Type {
  class ReturningController {
    events(signal: AbortSignal): unknown {
      return method(signal);
    }
  }
  const { prototype } = ReturningController;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'events')!;
  SseSignal()(prototype, 'events', 0);
  (Sse('events') as MethodDecorator)(prototype, 'events', descriptor);
  for (const decorator of decorate) decorator(prototype, 'events', descriptor);
  Object.defineProperty(prototype, 'events', descriptor);
  Controller()(ReturningController);
  return ReturningController;
}

describe.each(ways)('An async iterable that a method returns ($how, $adapter)', ({ adapter, decorate }) => {
  const start = (method: (signal: AbortSignal) => unknown) =>
    startSseApp({ adapter, controllers: [returning(method, decorate)] });

  it.each([
    ['itself', (items: AsyncIterable<unknown>) => items],
    ['by a Promise', async (items: AsyncIterable<unknown>) => items],
  ])('is streamed to its end (%s)', async (_how, given) => {
    const { url } = await start(() =>
      given(
        (async function* () {
          yield { type: 'token', data: 'Hello' };
          await Promise.resolve();
          yield { type: 'token', data: 'world' };
        })(),
      ),
    );
    const client = await listen(`${url}/events`);
    expect((await client.rest()).map(({ type, text }) => [type, text])).toEqual([
      ['token', 'Hello'],
      ['token', 'world'],
    ]);
    expect(await client.ended()).toBe('ended');
  });

  it('fails with the status of its error before the first event, and by an event after it', async () => {
    let isLate = false;
    const { url } = await start(async function* () {
      if (isLate) yield 'first';
      throw new Error('secret');
    });
    expect((await answerTo(`${url}/events`)).status).toBe(500);
    isLate = true;
    const client = await listen(`${url}/events`);
    expect((await client.rest()).map(({ type }) => type)).toEqual(['message', 'error']);
  });

  it('is given up when the client leaves, with what it holds', async () => {
    let isReleased = false;
    const { hub, url } = await start(async function* (signal) {
      try {
        yield 'first';
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      } finally {
        isReleased = true;
      }
    });
    const client = await listen(`${url}/events`);
    await client.next();
    client.close();
    await untilConnections(hub, 0);
    await eventually(() => isReleased);
  });

  it('is given up when the client leaves while the next value is awaited, which comes later', async () => {
    let isReleased = false;
    const gate = new EventEmitter();
    const { hub, url } = await start(async function* () {
      try {
        yield 'first';
        await once(gate, 'open');
        yield 'second';
      } finally {
        isReleased = true;
      }
    });
    const client = await listen(`${url}/events`);
    await client.next();
    client.close();
    await untilConnections(hub, 0);
    gate.emit('open');
    await eventually(() => isReleased);
  });

  it.each([
    ['is not async', () => ({ done: true, value: undefined })],
    [
      'throws',
      () => {
        throw new Error('secret');
      },
    ],
  ])('may have a return() that %s', async (_how, end) => {
    const { hub, url } = await start(() => {
      let count = 0;
      const next = async (): Promise<IteratorResult<string>> =>
        ++count > 2 ? { done: true, value: undefined } : { done: false, value: `${count}` };
      return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
    });
    const client = await listen(`${url}/events`);
    expect((await client.rest()).map(({ text }) => text)).toEqual(['1', '2']);
    const leaving = await listen(`${url}/events`);
    leaving.close();
    await untilConnections(hub, 0);
  });

  it.each([
    [
      'a stream of Node',
      () => Readable.from(['never read']),
      (stream: object) => (stream as Readable).destroyed,
    ],
    [
      'a stream of the web',
      () => {
        const stream = { isCancelled: false };
        const readable = new ReadableStream({ cancel: () => void (stream.isCancelled = true) });
        return Object.assign(readable, { stream });
      },
      (readable: object) => (readable as { stream: { isCancelled: boolean } }).stream.isCancelled,
    ],
  ] as const)('is let go of if it comes when the client has left (%s)', async (_what, make, isGone) => {
    const gate = new EventEmitter();
    const streams: object[] = [];
    const { hub, url } = await start(async () => {
      await once(gate, 'open');
      streams.push(make());
      return streams[0];
    });
    const wire = await Wire.get(`${url}/events`);
    await untilConnections(hub, 1);
    wire.leave();
    await untilConnections(hub, 0);
    gate.emit('open');
    await eventually(() => streams.length === 1 && isGone(streams[0]!));
  });

  it('leaves the event loop to others, however fast its values come', async () => {
    let isStopped = false;
    const { hub, url } = await start(async function* () {
      while (!isStopped) yield undefined;
    });
    const client = await listen(`${url}/events`);
    // Each is a round through the event loop, while values come that fill nothing up.
    for (let i = 0; i < 20; i++) expect((await fetch(`${url}/none`)).status).toBe(404);
    isStopped = true;
    client.close();
    await untilConnections(hub, 0);
  });

  it('is asked for no more than a client takes that does not read', async () => {
    let asked = 0;
    const { server, url } = await start(async function* () {
      while (asked < 400) yield big(++asked);
    });
    const sockets = new ServerSockets({ server });
    const client = await listen(`${url}/events`);
    client.pause();
    const socket = sockets.of(client);
    await eventually(() => socket.writableNeedDrain);
    const before = asked;
    for (let i = 0; i < 20; i++) await nextTurn();
    expect(asked).toBe(before);
    expect(asked).toBeLessThan(400);
    client.read();
    expect((await client.rest()).map(numberOf)).toEqual(numbers(1, 400));
  });
});

describe.each(ways)('What is no stream ($how, $adapter)', ({ adapter, decorate }) => {
  class Order {
    readonly id = 7;
  }

  it.each([
    ['a string', () => 'hello'],
    ['undefined', () => undefined],
    ['an array', async () => [1, 2]],
    ['an object of Order', () => new Order()],
    ['null', async () => null],
  ])('is a 500, and the log names class, method and that it was %s', async (what, method) => {
    const log = new LogRecorder();
    const { url } = await startSseApp({
      adapter,
      controllers: [returning(method, decorate)],
      configure: (app) => app.useLogger(log),
    });
    expect((await answerTo(`${url}/events`)).status).toBe(500);
    expect(log.entries.map(({ text }) => text)).toEqual([
      `ReturningController.events() has returned ${what}. A method with @Sse() returns an Observable, an async iterable, or a Promise of one.`,
    ]);
  });
});

describe('An Observable that a method returns', () => {
  it('is streamed as it is', async () => {
    const { url } = await startSseApp({ controllers: [returning(() => of('one', 'two'))] });
    const client = await listen(`${url}/events`);
    expect((await client.rest()).map(({ text }) => text)).toEqual(['one', 'two']);
  });
});
