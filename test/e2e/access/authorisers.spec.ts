import { Controller, Get, Injectable, Module, Scope, UnauthorizedException } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { AuthorizeChannel, defineChannel, SseModule } from '../../../src/sse/index.js';
import type { ChannelAccess, SseHub } from '../../../src/sse/index.js';
import { startSseApp, untilConnections } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { LogRecorder } from '../http/log-recorder.js';
import { refusal, refused } from '../../unit/refusal.js';
import { denied } from './denied.js';
import { startRoomsApp as startAnyHouse } from './rooms-app.js';
import type { RoomsApp, RoomsAppOptions } from './rooms-app.js';

// The other classes of this file are not in it.
const startRoomsApp = ({ sse }: RoomsAppOptions = {}): Promise<RoomsApp> =>
  startAnyHouse({ sse: { strictHandlers: false, ...sse } });

const never = new Promise<never>(() => undefined);

describe('an authoriser', () => {
  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('the database is away');
      },
    ],
    ['rejects', () => Promise.reject(new Error('the database is away'))],
    [
      'throws what is an HTTP error',
      () => {
        throw new UnauthorizedException();
      },
    ],
    ['answers with an object', () => ({ granted: false })],
    ['answers with a text', () => 'no'],
    ['answers with a number', () => 1],
    ['promises what is only truthy', () => Promise.resolve([])],
    ['answers with nothing', () => undefined],
    ['never answers', () => never],
    ['never answers, by something like a Promise', () => ({ then: () => undefined })],
  ])('that %s grants nothing', async (_, given) => {
    const { answer, open, rooms, hub } = await startRoomsApp({ sse: { authorizeTime: 50 } });
    rooms.answer = given;
    expect((await answer('ann', 'rooms/ann')).status).toBe(403);
    const client = await open('ann', 'rooms/ann', 'news');
    expect(await client.next()).toMatchObject(denied('rooms/ann'));
    expect(await hub.subscriberCount('rooms/ann')).toBe(0);
  });

  it.each<[string, unknown]>([
    ['true', true],
    ['a Promise of it', Promise.resolve(true)],
    ['something like a Promise of it', { then: (resolve: (is: boolean) => void) => resolve(true) }],
  ])('grants with %s', async (_, answer) => {
    const { open, rooms } = await startRoomsApp();
    rooms.answer = () => answer;
    expect((await open('ann', 'rooms/bob')).status).toBe(200);
  });

  it('is named in the log when it fails or does not answer, and not when it says no', async () => {
    const { answer, rooms, app } = await startRoomsApp({ sse: { authorizeTime: 20 } });
    const log = new LogRecorder();
    app.useLogger(log);
    rooms.answer = () => {
      throw new UnauthorizedException();
    };
    await answer('ann', 'rooms/ann');
    rooms.answer = () => false;
    await answer('ann', 'rooms/ann');
    expect(log.entries).toEqual([]);
    rooms.answer = () => Promise.reject(new Error('the database is away'));
    await answer('ann', 'rooms/ann');
    await log.until(/the database is away/);
    rooms.answer = () => never;
    await answer('ann', 'rooms/ann');
    await log.until(/Rooms\.mayEnter\(\) has not answered for "rooms\/ann" in 20 ms/);
  });

  it('is waited for with nothing sent, and leaves nothing behind when its client has gone', async () => {
    const { open, rooms, hub } = await startRoomsApp();
    let decide: (answer: boolean) => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      rooms.answer = () => {
        resolve();
        return new Promise((settle) => (decide = settle));
      };
    });
    const opening = open('ann', 'rooms/ann', 'news').catch(() => undefined);
    await asked;
    await untilConnections(hub, 1);
    const [connection] = await hub.connections();
    expect(await hub.disconnect({ id: connection!.id })).toEqual({ ended: 1, away: [] });
    await opening;
    await untilConnections(hub, 0);
    decide(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(hub.stats()).toMatchObject({ connections: 0, subscribers: 0 });
  });

  it('cannot change for others what it is asked', async () => {
    const { answer, open, rooms } = await startRoomsApp();
    rooms.answer = ({ params }) => {
      (params as { room: string }).room = 'forged';
      return true;
    };
    expect((await answer('ann', 'rooms/ann')).status).toBe(403);
    rooms.answer = ({ params }) => params.room === 'ann';
    expect((await open('ann', 'rooms/ann')).status).toBe(200);
  });
});

describe('several authorisers', () => {
  const Orders = defineChannel('tenants/:tenant/orders/:order');
  const answers = { orders: true, tenants: true, all: true };

  @Injectable()
  class OrdersAccess {
    @AuthorizeChannel(Orders)
    mayRead({ params }: ChannelAccess<{ tenant: string; order: string }>): boolean {
      return answers.orders && params.tenant === '1' && params.order === '2';
    }

    @AuthorizeChannel('tenants/:t/:kind/:id')
    @AuthorizeChannel('tenants/:t')
    async isMember({ params }: ChannelAccess<{ t: string }>): Promise<boolean> {
      await Promise.resolve();
      return answers.tenants && params.t === '1';
    }
  }

  @Controller()
  class AllController {
    @AuthorizeChannel('tenants/1/orders/2')
    mayAll(): boolean {
      return answers.all;
    }

    @Get('nothing')
    nothing(): void {}
  }

  it.each<[string, Partial<typeof answers>, number]>([
    ['all grant it', {}, 200],
    ['the definition’s does not', { orders: false }, 403],
    ['another pattern’s does not', { tenants: false }, 403],
    ['that of a controller does not', { all: false }, 403],
  ])('are all asked, and %s', async (_, given, status) => {
    Object.assign(answers, { orders: true, tenants: true, all: true }, given);
    const { url } = await startSseApp({
      sse: { strictHandlers: false },
      imports: [SseModule.forFeature([Orders])],
      routes: { events: (hub: SseHub) => hub.stream(Orders.of({ tenant: 1, order: 2 })) },
      providers: [OrdersAccess, { provide: 'ALIAS', useExisting: OrdersAccess }],
      controllers: [AllController],
    });
    expect((await answerTo(`${url}/events`)).status).toBe(status);
  });
});

describe('where nobody is asked and nobody is known', () => {
  it('connections keep nothing about it', async () => {
    const { hub, url, app } = await startSseApp({
      sse: { strictHandlers: false },
      routes: { events: (hub) => hub.stream('rooms/ann') },
    });
    await listen(`${url}/events`);
    await untilConnections(hub, 1);
    const { Connections } = await import('../../../src/sse/http/connections.js');
    const [connection] = app.get(Connections, { strict: false }).matching({});
    expect(connection!.gate).toBeUndefined();
    expect((await hub.connections())[0]).not.toHaveProperty('user');
  });
});

describe('an authoriser that cannot be called', () => {
  @Injectable()
  class Rules {
    @AuthorizeChannel('rooms/:room')
    mayEnter(): boolean {
      return true;
    }
  }

  const ofScope = (scope: Scope): Type => {
    @Injectable({ scope })
    class Scoped extends Rules {}
    return Scoped;
  };

  it.each<[string, object[]]>([
    ['a class for each request', [ofScope(Scope.REQUEST)]],
    ['a class for each who injects it', [ofScope(Scope.TRANSIENT)]],
  ])('is named at the start-up: of %s', async (_, providers) => {
    const starting = startSseApp({ sse: { strictHandlers: false }, providers: providers as Type[] });
    await expect(starting).rejects.toMatchObject({
      code: 'INVALID_HANDLER',
      message: expect.stringMatching(/\.mayEnter\(\) .*single instance/) as unknown,
    });
  });

  it('is refused by its decorator where its pattern is none', () => {
    expect(refusal(() => AuthorizeChannel('rooms//:room'))).toEqual(refused('INVALID_CHANNEL'));
  });

  it.each<[string, object, string | symbol]>([
    ['a method without a name', Rules.prototype, Symbol('mayEnter')],
    ['a static method', Rules, 'mayEnter'],
  ])('is refused by its decorator where it would never be asked: %s', (_, target, key) => {
    const decorate = (): void => AuthorizeChannel('rooms/:room')(target, key, { value: () => false });
    expect(refusal(decorate)).toEqual(refused('INVALID_HANDLER'));
  });

  it('is found in what a factory has made, and in a module beside', async () => {
    const asked: string[] = [];
    class Denying extends Rules {
      @AuthorizeChannel('rooms/:room')
      override mayEnter(): boolean {
        asked.push(this.constructor.name);
        return false;
      }
    }
    @Module({ providers: [{ provide: 'RULES', useFactory: () => new Denying() }] })
    class RulesModule {}
    const { url } = await startSseApp({
      sse: { strictHandlers: false },
      imports: [RulesModule],
      providers: [Rules, { provide: 'VALUE', useValue: new Denying() }],
      routes: { events: (hub) => hub.stream('rooms/a') },
    });
    expect((await answerTo(`${url}/events`)).status).toBe(403);
    expect(asked).toEqual(['Denying', 'Denying']);
  });
});
