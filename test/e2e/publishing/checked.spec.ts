import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { type as ark } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { defineChannel, SseModule, type } from '../../../src/sse/index.js';
import type { ChannelRule, SseHub } from '../../../src/sse/index.js';
import { startSseApp, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

const Order = defineChannel('zod/:id', {
  events: {
    message: z.object({ items: z.array(z.object({ count: z.int() })), note: z.string().default('-') }),
    shipped: type<string>(),
  },
});
const Reading = defineChannel('valibot/:id', {
  events: { message: v.object({ at: v.pipe(v.string(), v.transform(Number)), from: v.string() }) },
});
const Note = defineChannel('arktype/:id', {
  events: { message: ark({ text: 'string', 'to?': 'string[]' }), gone: type<undefined>() },
});
const order = Order.of({ id: 1 });

const start = (definitions: ChannelRule[]): Promise<SseApp> =>
  startSseApp({
    routes: { events: (hub) => hub.stream(order) },
    imports: [SseModule.forFeature(definitions)],
  });
const untyped = (value: unknown): never => value as never;
const dataOf = async (hub: SseHub, channel: string): Promise<unknown[]> =>
  (await hub.history(channel)).events.map(({ data }) => data as unknown);

describe('a checked event', () => {
  it.each([
    ['zod', order, { items: [{ count: 1 }, { count: 'two' }] }, /at items\.1\.count: /],
    ['valibot', Reading.of({ id: 1 }), { at: '7' }, /at from: /],
    ['arktype', Note.of({ id: 1 }), { text: 'a', to: ['b', 7] }, /at to\.1: /],
  ])(
    'that a schema of %s does not take is refused, with the place, and nothing is sent',
    async (_library, channel, data, place) => {
      const { hub } = await start([Order, Reading, Note]);
      const refusal = { code: 'INVALID_DATA', message: expect.stringMatching(place) as unknown };
      await expect(hub.publish(channel, untyped({ data }))).rejects.toMatchObject(refusal);
      const named = { message: expect.stringMatching(/"message".*"\w+\/1"/) as unknown };
      await expect(hub.publish(channel, untyped({ type: 'message', data }))).rejects.toMatchObject(named);
      expect(hub.stats()).toMatchObject({ published: 0, channels: 0 });
    },
  );

  it('is sent as its schema gives it out, to clients and to who reads the history', async () => {
    const { hub, url } = await start([Order, Reading]);
    const client = await listen(`${url}/events`);
    await hub.publish(order, { data: { items: [] } });
    expect((await client.next()).data).toEqual({ items: [], note: '-' });
    await hub.publish(Reading.of({ id: 1 }), { data: { at: '7', from: 'a' } });
    expect(await dataOf(hub, Reading.of({ id: 1 }))).toEqual([{ at: 7, from: 'a' }]);
  });

  it('keeps its other fields', async () => {
    const { hub } = await start([Order]);
    await hub.publish(order, { type: 'message', data: { items: [] }, retry: 5, comment: 'c' });
    const [event] = (await hub.history(order)).events;
    expect(event).toMatchObject({ type: 'message', retry: 5, comment: 'c' });
  });

  it('carries the issues with its refusal, and lists the first of many', async () => {
    const { hub } = await start([Order]);
    const items = Array.from({ length: 9 }, () => ({ count: 'x' }));
    await expect(hub.publish(order, untyped({ data: { items } }))).rejects.toMatchObject({
      message: expect.stringMatching(/items\.2\.count: [^;]*; and 6 more$/) as unknown,
      cause: expect.arrayContaining([
        expect.objectContaining({ path: ['items', 0, 'count'], message: expect.any(String) as unknown }),
      ]) as unknown,
    });
  });

  it('of a type without a schema is not looked into, beside those that have one', async () => {
    const { hub } = await start([Order]);
    await hub.publish(order, untyped({ type: 'shipped', data: { not: 'a text' } }));
    expect(await dataOf(hub, order)).toEqual([{ not: 'a text' }]);
  });

  it('of another type is refused, with those that there are', async () => {
    const { hub } = await start([Order]);
    await expect(hub.publish(order, untyped({ type: 'sent', data: 1 }))).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      message: expect.stringMatching(/message, shipped/) as unknown,
    });
  });

  it('of another type is sent where no type of the channel has a schema', async () => {
    const Plain = defineChannel('plain', { events: { message: type<string>() } });
    const { hub } = await start([Plain]);
    await expect(hub.publish(Plain.of(), untyped({ type: 'sent', data: 1 }))).resolves.toMatch(/^1\./);
  });

  it('without a type is no event of a channel that has no messages', async () => {
    const Job = defineChannel('job', { events: { done: z.int() } });
    const { hub } = await start([Job]);
    await expect(hub.publish(Job.of(), untyped({ data: 1 }))).rejects.toMatchObject({
      code: 'INVALID_EVENT',
    });
  });

  it.each([
    [null, 'INVALID_EVENT'],
    [{ type: 'gap', data: 1 }, 'RESERVED_TYPE'],
    [{ type: 7n, data: 1 }, 'INVALID_EVENT'],
    [{ type: 'shipped', data: 'a', name: 'x' }, 'INVALID_EVENT'],
    [{ type: 'shipped', data: 1n }, 'NOT_SERIALIZABLE'],
  ])('is refused for what is wrong with any event: %p', async (event, code) => {
    const { hub } = await start([Order]);
    await expect(hub.publish(order, untyped(event))).rejects.toMatchObject({ code });
  });

  it('is refused when its schema fails, at once or later', async () => {
    const fails = (): never => {
      throw new TypeError('out of order');
    };
    const Broken = defineChannel('broken', {
      events: { now: schemaOf(fails), later: schemaOf(async () => fails()) },
    });
    const { hub } = await start([Broken]);
    for (const eventType of ['now', 'later'] as const) {
      await expect(hub.publish(Broken.of(), { type: eventType, data: 1 })).rejects.toMatchObject({
        code: 'INVALID_DATA',
        message: expect.stringMatching(/out of order/) as unknown,
        cause: expect.any(TypeError) as unknown,
      });
    }
  });
});

/** A schema in which the test decides what becomes of a value, and when. */
const schemaOf = (validate: (value: unknown) => unknown) => ({
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: validate as never,
    types: undefined as { input: unknown; output: unknown } | undefined,
  },
});

/** A channel whose `slow` events are checked when the test says so, each by its data. */
function gatedChannel() {
  const gates = new Map<unknown, (isRight: boolean) => void>();
  const check = (value: unknown): Promise<unknown> =>
    new Promise((resolve) => {
      gates.set(value, (isRight) => resolve(isRight ? { value } : { issues: [{ message: 'no' }] }));
    });
  const Gated = defineChannel('gated/:id', {
    events: { slow: schemaOf(check), quick: schemaOf((value) => ({ value })), free: type<unknown>() },
  });
  const answer = (data: unknown, isRight = true): void => gates.get(data)!(isRight);
  return { Gated, answer };
}

describe('an asynchronous schema', () => {
  it('keeps the order of the calls, whatever is known first', async () => {
    const { Gated, answer } = gatedChannel();
    const { hub } = await start([Gated]);
    const channel = Gated.of({ id: 1 });
    const published = [
      hub.publish(channel, { type: 'slow', data: 1 }),
      hub.publish(channel, { type: 'quick', data: 2 }),
      hub.publish(channel, { type: 'slow', data: 3 }),
      hub.publish(channel, { type: 'free', data: 4 }),
    ];
    answer(3);
    await turn();
    expect(await dataOf(hub, channel)).toEqual([]);
    answer(1);
    const ids = await Promise.all(published);
    expect(await dataOf(hub, channel)).toEqual([1, 2, 3, 4]);
    expect(ids.map((id) => id.split('.')[0])).toEqual(['1', '2', '3', '4']);
  });

  it('keeps the order at every point at which a call may come', async () => {
    const { Gated, answer } = gatedChannel();
    const { hub } = await start([Gated]);
    const channel = Gated.of({ id: 1 });
    void hub.publish(channel, { type: 'slow', data: 0 });
    answer(0);
    for (let i = 1; i <= 30; i++) {
      void hub.publish(channel, { type: i % 3 === 1 ? 'quick' : 'slow', data: i });
      if (i % 3 !== 1) answer(i);
      await Promise.resolve();
    }
    await hub.publish(channel, { type: 'quick', data: 31 });
    expect(await dataOf(hub, channel)).toEqual(Array.from({ length: 32 }, (_, i) => i));
  });

  it('refuses its own event only, and leaves no error that nobody hears of', async () => {
    const { Gated, answer } = gatedChannel();
    const { hub } = await start([Gated]);
    const channel = Gated.of({ id: 1 });
    const published = [1, 2, 3].map((data) => hub.publish(channel, { type: 'slow', data }));
    answer(2, false);
    await turn();
    answer(1);
    answer(3);
    const outcomes = await Promise.allSettled(published);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'INVALID_DATA' } });
    expect(await dataOf(hub, channel)).toEqual([1, 3]);
  });

  it('is no reason that what waits for it changes', async () => {
    const { Gated, answer } = gatedChannel();
    const { hub } = await start([Gated]);
    const channel = Gated.of({ id: 1 });
    const data = { price: 1 };
    const published = [
      hub.publish(channel, { type: 'slow', data: 1 }),
      hub.publish(channel, { type: 'free', data }),
      hub.publish(channel, { type: 'quick', data }),
    ];
    data.price = 2;
    answer(1);
    await Promise.all(published);
    expect(await dataOf(hub, channel)).toEqual([1, { price: 1 }, { price: 1 }]);
  });

  it('holds back no other channel', async () => {
    const { Gated, answer } = gatedChannel();
    const { hub } = await start([Gated]);
    const slow = hub.publish(Gated.of({ id: 1 }), { type: 'slow', data: 1 });
    await hub.publish(Gated.of({ id: 2 }), { type: 'quick', data: 2 });
    await hub.publish('another', { data: 3 });
    answer(1);
    await slow;
  });

  it('is waited for by the end of the channel, and by a purge', async () => {
    const { Gated, answer } = gatedChannel();
    const { hub } = await start([Gated]);
    const [purged, ended] = [Gated.of({ id: 1 }), Gated.of({ id: 2 })];
    const calls = [
      hub.publish(purged, { type: 'slow', data: 1 }),
      hub.purge(purged),
      hub.publish(purged, { type: 'quick', data: 2 }),
      hub.publish(ended, { type: 'slow', data: 3 }),
      hub.complete(ended),
    ];
    const late = expect(hub.publish(ended, { type: 'quick', data: 4 })).rejects.toMatchObject({
      code: 'CHANNEL_COMPLETED',
    });
    answer(1);
    answer(3);
    await Promise.all([...calls, late]);
    expect([await dataOf(hub, purged), await dataOf(hub, ended)]).toEqual([[2], [3]]);
  });

  it('is waited for by so many events only', async () => {
    const { Gated, answer } = gatedChannel();
    const { hub } = await start([Gated]);
    const channel = Gated.of({ id: 1 });
    const published = Array.from({ length: 10_000 }, (_, data) =>
      hub.publish(channel, { type: 'slow', data }),
    );
    await expect(hub.publish(channel, { type: 'quick', data: 'x' })).rejects.toMatchObject({
      code: 'PUBLISH_REJECTED',
    });
    for (let data = 0; data < 10_000; data++) answer(data);
    await Promise.all(published);
    await hub.publish(channel, { type: 'quick', data: 'x' });
    expect(hub.stats().published).toBe(10_001);
  });
});

describe('a definition', () => {
  it.each([
    [
      'a schema of a library that does not know the standard',
      { message: { parse: (value: unknown) => value } },
    ],
    ['nothing', { message: undefined }],
    ['no object', 'message'],
  ])('is refused with %s in the place of a schema', (_what, events) => {
    expect(() => defineChannel('a', untyped({ events }))).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringMatching(/events/) }),
    );
  });

  it.each([
    ['error', 'RESERVED_TYPE'],
    ['a\nb', 'INVALID_EVENT'],
  ])('is refused with events of the type %j, which can never be published', (name, code) => {
    expect(() => defineChannel('a', { events: { [name]: type<string>() } })).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
