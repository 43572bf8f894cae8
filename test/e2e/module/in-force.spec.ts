import { Controller, Get, Injectable, Module } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import {
  AuthorizeChannel,
  defineChannel,
  OnSubscribe,
  Publish,
  SseModule,
  SseSnapshot,
  type ChannelDefinition,
} from '../../../src/sse/index.js';
import { startSseApp, type Route } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { refused } from '../../unit/refusal.js';
import { LogRecorder } from '../http/log-recorder.js';

const routes: Record<string, Route> = { events: (hub) => hub.stream('rooms/a', { replay: 'all' }) };

/** Classes are made anew for each test: those that a test leaves unfound, it finds at its end. */
const guardOf = (): Type => {
  @Injectable()
  class Guard {
    @AuthorizeChannel('rooms/:room')
    mayEnter(): boolean {
      return false;
    }
  }
  return Guard;
};

describe('decorated methods of a class that no module lists', () => {
  it('fail the start, which names them and says what to do', async () => {
    const guard = guardOf();
    class Others {
      @SseSnapshot('rooms/:room')
      state(): { state: number } {
        return { state: 1 };
      }

      @OnSubscribe('rooms/:room')
      came(): void {}
    }
    await expect(startSseApp({ routes })).rejects.toEqual(
      refused(
        'INVALID_HANDLER',
        /Guard\.mayEnter\(\), Others\.state\(\), Others\.came\(\).*providers of a module/,
      ),
    );
    await startSseApp({ routes, providers: [guard, Others] });
  });

  it('are a warning with strictHandlers: false', async () => {
    const guard = guardOf();
    const log = new LogRecorder();
    const { hub, url } = await startSseApp({
      routes,
      sse: { strictHandlers: false },
      configure: (app) => app.useLogger(log),
    });
    expect(log.entries).toMatchObject([
      { level: 'warn', text: expect.stringMatching(/Guard\.mayEnter\(\)/) },
    ]);
    await hub.publish('rooms/a', { data: 'open' });
    expect((await (await listen(`${url}/events`)).next()).text).toBe('open');
    await startSseApp({ providers: [guard] });
  });

  it('are found in another application of the process, in a subclass, and in what a factory makes', async () => {
    const [inherited, made, own] = [guardOf(), guardOf(), guardOf()];
    @Injectable()
    class Heir extends inherited {}
    const factory = { provide: 'MADE', useFactory: () => new made() as object };
    await startSseApp({ providers: [Heir, factory, own] });
    await startSseApp();
  });

  it('are those of a part of an application that is loaded and not imported', async () => {
    @Module({ providers: [guardOf()] })
    class Part {}
    await expect(startSseApp()).rejects.toEqual(refused('INVALID_HANDLER', /Guard/));
    await startSseApp({ imports: [Part] });
  });
});

describe('a decorated method', () => {
  /** What Sentry, OpenTelemetry or a transaction does: another function in the place of the method. */
  const Wrapped = (): MethodDecorator => (_target, _key, descriptor: PropertyDescriptor) => {
    const method = descriptor.value as (...args: unknown[]) => unknown;
    descriptor.value = function (this: unknown, ...args: unknown[]): unknown {
      return method.apply(this, args);
    };
  };

  it('is asked where another decorator has wrapped it', async () => {
    @Injectable()
    class Guard {
      @Wrapped()
      @AuthorizeChannel('rooms/:room')
      mayEnter(): boolean {
        return false;
      }
    }
    const { url } = await startSseApp({ routes, providers: [Guard] });
    expect((await answerTo(`${url}/events`)).status).toBe(403);
  });

  it.each([
    [true, 200],
    [false, 403],
  ])('is asked where a subclass overrides it without decorating it: %s', async (answer, status) => {
    @Injectable()
    class Guard extends guardOf() {
      mayEnter(): boolean {
        return answer;
      }
    }
    const { url } = await startSseApp({ routes, providers: [Guard] });
    expect((await answerTo(`${url}/events`)).status).toBe(status);
  });
});

describe('a definition that no module lists', () => {
  const Room = defineChannel('rooms/:room', { replay: 'all' });

  @Injectable()
  class Publishing {
    @Publish(Room)
    async say(message: { room: string }): Promise<{ room: string }> {
      return message;
    }
  }

  const guarding = (): Type => {
    @Controller()
    class Guarding {
      @AuthorizeChannel(Room)
      mayEnter(): boolean {
        return true;
      }

      @Get()
      get(): void {}
    }
    return Guarding;
  };

  it.each<[string, () => object]>([
    ['@Publish()', () => ({ providers: [Publishing] })],
    ['@AuthorizeChannel()', () => ({ controllers: [guarding()] })],
  ])('fails the start if %s was given it', async (_, parts) => {
    const given = parts();
    await expect(startSseApp(given)).rejects.toEqual(
      refused('INVALID_HANDLER', /"rooms\/:room", which is not in force.*SseModule\.forFeature/),
    );
    await startSseApp({ ...given, imports: [SseModule.forFeature([Room])] });
  });

  it('is refused when a name that it has made is used, by every call, and also where that was used before', async () => {
    const Order = defineChannel('orders/:id', { history: 0 });
    const { hub } = await startSseApp({ imports: [SseModule.forFeature([Room])] });
    await hub.publish('orders/1', { data: 'by a plain name' });
    const name = Order.of({ id: 1 });
    const not = refused('UNKNOWN_CHANNEL', /"orders\/:id", which is not in force.*SseModule\.forFeature/);
    await expect(hub.publish(name, { data: 'x' })).rejects.toEqual(not);
    await expect(hub.history(name)).rejects.toEqual(not);
    await expect(hub.complete('orders/2')).rejects.toEqual(not);
    expect(() => hub.stream(name)).toThrow(not);
    await hub.publish(Room.of({ room: 'a' }), { data: 'x' });
    await hub.publish('others/1', { data: 'x' });
  });

  it('is in force for the names that it makes where another application lists it', async () => {
    const Order = defineChannel('parcels/:id', { history: 0 });
    const list = async (...definitions: ChannelDefinition[]): Promise<string> => {
      const { hub } = await startSseApp({ imports: [SseModule.forFeature(definitions)] });
      return hub.publish(Order.of({ id: 1 }), { data: 'x' });
    };
    expect(await list(Order)).toBe('');
    expect(await list()).not.toBe('');
  });
});

describe('SseModule itself', () => {
  @Module({ imports: [SseModule] })
  class Bare {}

  it.each<[string, Type[], object | false]>([
    ['alone', [Bare], false],
    ['in a feature of an application', [Bare], {}],
  ])('is no import, which is said: %s', async (_, imports, sse) => {
    await expect(startSseApp({ sse, imports })).rejects.toEqual(
      refused('INVALID_OPTIONS', /SseModule\.forRoot\(\).*SseModule\.forFeature\(\)/),
    );
  });
});
