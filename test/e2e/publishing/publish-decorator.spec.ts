import { Injectable, Scope } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { firstValueFrom, from, lastValueFrom, Observable, of, take, throwError, toArray } from 'rxjs';
import { z } from 'zod';
import { defineChannel, Publish, Sse, SseHub, SseModule, type } from '../../../src/sse/index.js';
import { startSseApp, type SseApp } from '../../support/sse-app.js';

interface Order {
  readonly id: number;
  readonly note?: string;
}

/** What a method of JavaScript may give at once, and TypeScript has as a Promise. */
const atOnce = <T>(value: T): Promise<T> => value as Promise<Awaited<T>>;

const Checked = defineChannel('checked/:id', {
  events: { message: z.object({ id: z.int() }), seen: type<number>() },
});

const imports = [SseModule.forFeature([Checked])];

@Injectable()
class Orders {
  readonly done: unknown[] = [];

  @Publish('orders/:id', { type: 'placed' })
  place(order: Order): Promise<Order> {
    this.done.push(order);
    return atOnce(order);
  }

  @Publish('orders/:id', { type: 'shipped' })
  async ship(order: Order, by: string): Promise<{ by: string }> {
    this.done.push(order);
    return { by };
  }

  @Publish('orders')
  count(): Promise<number> {
    return atOnce(7);
  }

  @Publish('orders/:id')
  fail(_order: Order): Promise<Order> {
    throw new TypeError('not now');
  }

  @Publish('orders/:id')
  async failLater(_order: Order): Promise<Order> {
    throw new TypeError('not now');
  }

  @Publish((result: string, [id]: [string]) => `${result}/${id}`)
  named(_id: string): Promise<string> {
    return atOnce('named');
  }

  @Publish(Checked)
  check(order: Order): Promise<Order> {
    this.done.push(order);
    return atOnce(order);
  }

  @Publish('items/:id')
  observable(items: readonly Order[]): Observable<Order> {
    return from(items);
  }

  @Publish('items/:id')
  async later(items: readonly Order[]): Promise<Observable<Order>> {
    return from(items);
  }

  @Publish('items/:id')
  async *iterable(items: readonly Order[]): AsyncGenerator<Order, void, undefined> {
    try {
      for (const item of items) {
        this.done.push(item);
        yield item;
      }
    } finally {
      this.done.push('left');
    }
  }

  @Publish('lost')
  lost(what: object): Promise<object> {
    return atOnce(what);
  }

  @Publish('items/1')
  failing(): Observable<Order> {
    return throwError(() => new TypeError('not now'));
  }

  @Publish('items/1')
  flood(): Observable<number> {
    return from(Array.from({ length: 10_001 }, (_, i) => i));
  }
}

const start = (): Promise<SseApp> => startSseApp({ providers: [Orders], imports });
const kept = async (hub: SseHub, channel: string): Promise<unknown[]> =>
  (await hub.history(channel)).events.map(({ type: name, data }) => [name, data]);
const ordersOf = async (): Promise<{ orders: Orders; hub: SseHub }> => {
  const { app, hub } = await start();
  return { orders: app.get(Orders), hub };
};

describe('what a decorated method returns', () => {
  it('is published, and the caller gets it when it is', async () => {
    const { orders, hub } = await ordersOf();
    const order = { id: 7 };
    const placed: unknown = orders.place(order);
    expect(placed).toBeInstanceOf(Promise);
    expect(await placed).toBe(order);
    expect(await kept(hub, 'orders/7')).toEqual([['placed', { id: 7 }]]);
    expect(await orders.count()).toBe(7);
    expect(await kept(hub, 'orders')).toEqual([[undefined, 7]]);
  });

  it('names the channel together with the arguments, or a function does', async () => {
    const { orders, hub } = await ordersOf();
    expect(await orders.ship({ id: 7 }, 'rail')).toEqual({ by: 'rail' });
    expect(await kept(hub, 'orders/7')).toEqual([['shipped', { by: 'rail' }]]);
    await orders.named('9');
    expect(await kept(hub, 'named/9')).toEqual([[undefined, 'named']]);
  });

  it('comes before the arguments, when both could name the channel', async () => {
    class Both {
      @Publish('both/:id')
      both(_order: Order): Promise<Order> {
        return atOnce({ id: 1 });
      }
    }
    const { app, hub } = await startSseApp({ providers: [Both] });
    await app.get(Both).both({ id: 2 });
    expect(await kept(hub, 'both/1')).toHaveLength(1);
  });

  it('stays one segment of the name, whatever it is', async () => {
    const { orders, hub } = await ordersOf();
    await orders.place({ id: '1/../2' } as never);
    expect(await kept(hub, 'orders/1%2F..%2F2')).toHaveLength(1);
  });

  it.each([{}, { id: '' }, { id: null }, { id: {} }])(
    'is not published with a parameter of %j',
    async (order) => {
      const { orders, hub } = await ordersOf();
      await expect(orders.place(order as never)).rejects.toMatchObject({
        code: 'INVALID_CHANNEL',
        message: expect.stringMatching(/"id".*"orders\/:id"/) as unknown,
      });
      expect([orders.done, hub.stats().published]).toEqual([[order], 0]);
    },
  );
});

describe('a method that fails', () => {
  it('publishes nothing, and its caller sees its error as it is', async () => {
    const { orders, hub } = await ordersOf();
    expect(() => orders.fail({ id: 1 })).toThrow(new TypeError('not now'));
    await expect(orders.failLater({ id: 1 })).rejects.toThrow(new TypeError('not now'));
    await expect(firstValueFrom(orders.failing())).rejects.toThrow(new TypeError('not now'));
    expect(hub.stats().published).toBe(0);
  });

  it.each([
    ['a Set', () => new Set([1])],
    ['what a generator gives', () => (function* () {})()],
  ])('to give anything that arrives, as %s, is refused', async (_what, make) => {
    const { orders, hub } = await ordersOf();
    await expect(orders.lost(make())).rejects.toMatchObject({
      code: 'NOT_SERIALIZABLE',
      message: expect.stringMatching(/async iterable/),
    });
    expect(hub.stats().published).toBe(0);
    await orders.lost([1, 2]);
    await orders.lost(Object.assign(new Set([1]), { toJSON: () => [1] }));
    expect(await kept(hub, 'lost')).toEqual([
      [undefined, [1, 2]],
      [undefined, [1]],
    ]);
  });

  it('to be published has done its work all the same', async () => {
    const { orders, hub } = await ordersOf();
    await expect(orders.check({ id: 1.5 })).rejects.toMatchObject({ code: 'INVALID_DATA' });
    expect([orders.done, hub.stats().published]).toEqual([[{ id: 1.5 }], 0]);
    await orders.check({ id: 1 });
    expect(await kept(hub, 'checked/1')).toEqual([[undefined, { id: 1 }]]);
  });
});

describe('the items of a source', () => {
  const items = [1, 2, 3].map((id) => ({ id }));

  it('are published, in order, before they are handed on', async () => {
    const { orders, hub } = await ordersOf();
    const seen: unknown[] = [];
    const see = ({ id }: Order): unknown => seen.push([id, hub.stats().published]);
    await orders.observable(items).forEach(see);
    await (await orders.later(items)).forEach(see);
    for await (const item of orders.iterable(items)) see(item);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((nth) => [((nth - 1) % 3) + 1, nth]));
    expect(await kept(hub, 'items/2')).toEqual(Array(3).fill([undefined, { id: 2 }]));
  });

  it('are not published before somebody takes them, nor after nobody does', async () => {
    const { orders, hub } = await ordersOf();
    const [observable, iterable] = [orders.observable(items), orders.iterable(items)];
    expect([orders.done, hub.stats().published]).toEqual([[], 0]);
    await lastValueFrom(observable.pipe(take(2)));
    expect(hub.stats().published).toBe(2);
    for await (const item of iterable) if (item.id === 2) break;
    expect([orders.done.at(-1), hub.stats().published]).toEqual(['left', 4]);
  });

  it('end with the error of one that cannot be published', async () => {
    const { orders, hub } = await ordersOf();
    const wrong = [{ id: 1 }, {}, { id: 3 }] as Order[];
    const refused = { code: 'INVALID_CHANNEL' };
    await expect(lastValueFrom(orders.observable(wrong).pipe(toArray()))).rejects.toMatchObject(refused);
    const iterate = async (): Promise<void> => {
      for await (const _ of orders.iterable(wrong));
    };
    await expect(iterate()).rejects.toMatchObject(refused);
    expect([orders.done.at(-1), hub.stats().published]).toEqual(['left', 2]);
  });

  it('wait to be published up to a limit', async () => {
    const { orders } = await ordersOf();
    await expect(lastValueFrom(orders.flood())).rejects.toMatchObject({ code: 'SOURCE_TOO_FAST' });
  });
});

describe('the hub of a decorated method', () => {
  it('is the one of its application, also for instances of a request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Scoped {
      @Publish('scoped')
      say(text: string): Promise<string> {
        return atOnce(text);
      }
    }
    const start = (): Promise<SseApp> => startSseApp({ providers: [Scoped, Orders], imports });
    const [one, other] = [await start(), await start()];
    await (await one.app.resolve(Scoped)).say('one');
    await (await other.app.resolve(Scoped)).say('other');
    expect(await kept(one.hub, 'scoped')).toEqual([[undefined, 'one']]);
    expect(await kept(other.hub, 'scoped')).toEqual([[undefined, 'other']]);
    await other.app.get(Orders).place({ id: 1 });
    expect([one.hub.stats().published, other.hub.stats().published]).toEqual([1, 2]);
  });

  it('is there for a class that inherits the method, overrides it or has others', async () => {
    @Injectable()
    class Special extends Orders {
      @Publish('special')
      special(): Promise<string> {
        return atOnce('special');
      }

      override place(order: Order): Promise<Order> {
        return super.place({ ...order, note: 'special' });
      }
    }
    const { app, hub } = await startSseApp({ providers: [Special], imports });
    const special = app.get(Special);
    await special.place({ id: 1 });
    await special.count();
    await special.special();
    expect(await kept(hub, 'orders/1')).toEqual([['placed', { id: 1, note: 'special' }]]);
    expect([await kept(hub, 'orders'), await kept(hub, 'special')]).toEqual([
      [[undefined, 7]],
      [[undefined, 'special']],
    ]);
  });

  it('is missed by an instance that Nest has not made, before it does anything', () => {
    const orders = new Orders();
    expect(() => orders.place({ id: 1 })).toThrow(
      expect.objectContaining({
        code: 'MODULE_MISSING',
        message: expect.stringMatching(/^Orders\.place\(\)/),
      }),
    );
    expect(orders.done).toEqual([]);
  });

  it('is missed at start-up by an application without the module', async () => {
    await expect(startSseApp({ sse: false, providers: [Orders] })).rejects.toThrow(/SseHub/);
  });
});

describe('the decorator', () => {
  const method = { value: async (): Promise<void> => {} };
  it.each([
    ['a pattern', () => Publish('orders//:id'), 'INVALID_CHANNEL'],
    ['no channel', () => Publish(undefined as never), 'INVALID_CHANNEL'],
    ['an unknown option', () => Publish('a', { event: 'x' } as never), 'INVALID_OPTIONS'],
    ['data that is no function', () => Publish('a', { data: 'id' } as never), 'INVALID_OPTIONS'],
    ['a type of the package', () => Publish('a', { type: 'error' }), 'RESERVED_TYPE'],
    ['a type of two lines', () => Publish('a', { type: 'a\nb' }), 'INVALID_EVENT'],
    ['a static method', () => Publish('a')(Orders, 'b', method), 'INVALID_OPTIONS'],
    ['a property', () => Publish('a')({}, 'b', { value: 7 } as never), 'INVALID_OPTIONS'],
  ])('is refused at once for %s', (_what, decorate, code) => {
    expect(decorate).toThrow(expect.objectContaining({ code }));
  });

  it('is refused above @Sse(), which serves what is below it', () => {
    class Wrong {
      events(): Observable<number> {
        return of(1);
      }
    }
    const descriptor = { value: Wrong.prototype.events };
    Sse('events')(Wrong.prototype, 'events', descriptor);
    expect(() => Publish('a')(Wrong.prototype, 'events', descriptor)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringMatching(/below/) }),
    );
  });
});
