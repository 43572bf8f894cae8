import { Injectable, Module } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { SseModule } from '../../../src/sse/index.js';
import type { SseHub } from '../../../src/sse/index.js';
import { secondChannels, secondCopy } from '../../support/second-copy.js';
import { startSseApp } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { refused } from '../../unit/refusal.js';

type Copy = Awaited<ReturnType<typeof secondCopy>>;

/** What a library declares by its own copy of this package. */
function libraryOf(copy: Copy) {
  const Orders = copy.defineChannel('orders/:id', {
    replay: 'all',
    history: { count: 3 },
    events: { placed: z.object({ id: z.string() }), noted: copy.type<string>() },
  });

  @Injectable()
  class Placing {
    @copy.Publish(Orders, { type: 'placed' })
    async place(id: string): Promise<{ id: string }> {
      return { id };
    }
  }

  @Injectable()
  class Guard {
    @copy.AuthorizeChannel(Orders)
    mayRead({ params }: { params: { id: string } }): boolean {
      return params.id !== 'secret';
    }
  }

  @Module({ imports: [copy.SseModule.forFeature([Orders])], providers: [Placing, Guard] })
  class OrdersModule {}
  return { Orders, Placing, Guard, OrdersModule };
}

describe('a library with a copy of this package of its own', () => {
  let copy: Copy;
  beforeAll(async () => {
    copy = await secondCopy();
    expect(copy.SseModule).not.toBe(SseModule);
  });

  it('declares channels, guards and what is published, and all of it holds in the application', async () => {
    const { Orders, OrdersModule, Placing } = libraryOf(copy);
    const { app, hub, url } = await startSseApp({
      imports: [OrdersModule],
      routes: { events: (own: SseHub, { query }) => own.stream(Orders.of({ id: query.id! })) },
    });
    const wrong = hub.publish('orders/7', { type: 'placed', data: { wrong: true } });
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_DATA' });
    await app.get<{ place(id: string): Promise<unknown> }>(Placing, { strict: false }).place('7');
    const client = await listen(`${url}/events?id=7`);
    expect(await client.next()).toMatchObject({ type: 'placed', text: '{"id":"7"}' });
    expect((await answerTo(`${url}/events?id=secret`)).status).toBe(403);
  });

  it('has its definitions listed, and its guards provided, by the application', async () => {
    const { Orders, Placing, Guard } = libraryOf(copy);
    await expect(startSseApp()).rejects.toEqual(refused('INVALID_HANDLER', /Guard\.mayRead\(\)/));
    const providers = [Placing, Guard] as Type[];
    await expect(startSseApp({ providers })).rejects.toEqual(refused('INVALID_HANDLER', /"orders\/:id"/));
    const { hub } = await startSseApp({ providers, imports: [SseModule.forFeature([Orders])] });
    await hub.publish(Orders.of({ id: 1 }), { type: 'noted', data: 'x' });
  });

  it('does not bring a hub of its own', async () => {
    await expect(startSseApp({ imports: [copy.SseModule.forRoot()] })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(/twice, of the copies of this package in .+ and .+/) as unknown,
    });
  });
});

describe('a library with a copy of another version', () => {
  it('fails the start, which names both', async () => {
    const copy = await secondCopy('0.0.7');
    const { Orders, Guard, Placing } = libraryOf(copy);
    const versions = /nestjs-sse-hub 0\.0\.7 \(file:.+\).* of \d+\.\d+\.\d+ \(file:.+\)/;
    const other = refused('INVALID_OPTIONS', versions);
    const feature = SseModule.forFeature([]);
    await expect(
      startSseApp({ imports: [copy.SseModule.forFeature([])], providers: [Guard] }),
    ).rejects.toEqual(other);
    await expect(startSseApp({ imports: [SseModule.forFeature([Orders])] })).rejects.toEqual(other);
    await expect(startSseApp({ imports: [feature], providers: [Guard] })).rejects.toEqual(other);
    await expect(startSseApp({ providers: [Placing] })).rejects.toEqual(other);
  });

  it('fails the start also where it is loaded for its definitions alone', async () => {
    const { defineChannel } = await secondChannels('0.0.7');
    const imports = [SseModule.forFeature([defineChannel('orders/:id')])];
    const other = /nestjs-sse-hub 0\.0\.7, and .+ of \d+\.\d+\.\d+ \(file:.+\)/;
    await expect(startSseApp({ imports })).rejects.toEqual(refused('INVALID_OPTIONS', other));
  });
});
