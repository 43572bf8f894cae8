// Compile-time promises: checked by `npm run types`, never run.
import { of, type Observable } from 'rxjs';
import { z } from 'zod';
import { defineChannel, Publish, type } from '../../src/sse/index.js';

interface Shipment {
  readonly id: number;
}

interface User {
  readonly id: number;
  readonly password: string;
}

const Order = defineChannel('orders/:id', {
  events: { shipped: type<Shipment>(), counted: z.string().transform(Number) },
});
const Room = defineChannel('chat/:room', { events: { message: type<string>() } });
const Open = defineChannel('open/:id');

export class DataOfTheEventsAreReturned {
  @Publish(Order, { type: 'shipped' })
  async later(id: number): Promise<Shipment> {
    return { id };
  }

  @Publish(Order, { type: 'counted' })
  counted(): Observable<string> {
    return of('7');
  }

  @Publish(Room)
  async *words(): AsyncGenerator<string> {
    yield 'a';
  }

  @Publish(Open, { type: 'anything' })
  async open(): Promise<Date> {
    return new Date();
  }

  @Publish('plain/:id', { type: 'anything' })
  async plain(id: number): Promise<number> {
    return id;
  }

  @Publish(({ id }: Shipment, [by]: [string]) => `orders/${id}/${by}`)
  async named(by: string, length: number): Promise<Shipment> {
    return { id: by.length + length };
  }

  @Publish(Order, { type: 'shipped', data: ({ id }: User) => ({ id }) })
  async formed(id: number): Promise<User> {
    return { id, password: 'secret' };
  }

  @Publish('users/:id', { data: ({ id }: User) => id })
  users(): Observable<User> {
    return of({ id: 1, password: 'secret' });
  }
}

export class WhatComesAtOnceIsAnErrorAsItsCallerGetsAPromise {
  // @ts-expect-error: it is a value
  @Publish(Order, { type: 'shipped' })
  now(id: number): Shipment {
    return { id };
  }

  // @ts-expect-error: it is a value
  @Publish('plain/:id')
  plain(id: number): number {
    return id;
  }
}

export class OtherDataAreErrors {
  // @ts-expect-error: it is no shipment
  @Publish(Order, { type: 'shipped' })
  async later(id: number): Promise<number> {
    return id;
  }

  // @ts-expect-error: what is made of it is no shipment
  @Publish(Order, { type: 'shipped', data: ({ password }: User) => password })
  async formed(id: number): Promise<User> {
    return { id, password: 'secret' };
  }

  // @ts-expect-error: it is made of another result
  @Publish(Order, { type: 'shipped', data: ({ id }: User) => ({ id }) })
  async other(id: number): Promise<Shipment> {
    return { id };
  }

  // @ts-expect-error: the schema takes a string
  @Publish(Order, { type: 'counted' })
  counted(): Observable<number> {
    return of(7);
  }

  // @ts-expect-error: there is no such event
  @Publish(Order, { type: 'sent' })
  async sent(id: number): Promise<Shipment> {
    return { id };
  }

  // @ts-expect-error: the channel has no messages
  @Publish(Order)
  async message(id: number): Promise<Shipment> {
    return { id };
  }

  // @ts-expect-error: the name is made of another argument
  @Publish((_result: unknown, [id]: [string]) => id)
  async argument(id: number): Promise<number> {
    return id;
  }

  // @ts-expect-error: the name is made of another result
  @Publish(({ id }: Shipment) => `orders/${id}`)
  async named(): Promise<string> {
    return 'a';
  }
}
