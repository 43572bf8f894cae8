import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { z } from 'zod';
import { natsBackplane } from '../../../src/sse/backplanes/nats/index.js';
import { redisBackplane } from '../../../src/sse/backplanes/redis/index.js';
import { defineChannel, SseModule } from '../../../src/sse/index.js';
import type { BackplaneFactory, Publication, SseHub } from '../../../src/sse/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { NatsServer } from '../../support/nats-server.js';
import { RedisServer } from '../../support/redis-server.js';
import { describeOnRedis } from '../../support/shared-server.js';
import { startSseApp } from '../../support/sse-app.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

/** Checks of schemas that wait, and how many there were in all. */
const checks: (() => void)[] = [];
let checked = 0;
afterEach(() => {
  checks.length = checked = 0;
});

/** Takes everything, once the test lets it. */
const slow: StandardSchemaV1 = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: async (value) => {
      checked++;
      await new Promise<void>((resolve) => checks.push(resolve));
      return { value };
    },
  },
};
const Slow = defineChannel('slow/:id', { events: { message: slow } });
const Checked = defineChannel('checked/:id', { events: { message: z.number() } });
const Brief = defineChannel('brief', { ttl: 50 });
const NoHistory = defineChannel('clock', { history: 0 });

const start = (backplane?: BackplaneFactory) =>
  startSseApp({
    sse: backplane ? { backplane } : {},
    imports: [SseModule.forFeature([Slow, Checked, Brief, NoHistory])],
  });
const dataIn = async (hub: SseHub, channel: string): Promise<unknown[]> =>
  (await hub.history(channel)).events.map(({ data }) => data as unknown);
const idsIn = async (hub: SseHub, channel: string): Promise<unknown[]> =>
  (await hub.history(channel)).events.map(({ id }) => id);
const untyped = (value: unknown): never => value as never;
const to = (channel: string, ...data: unknown[]): Publication[] =>
  data.map((one) => ({ channel, event: { data: one } }));

describe('publishMany()', () => {
  it('publishes each event to its channel, in order, and says what has become of each', async () => {
    const { hub } = await start();
    await hub.complete('done');
    const outcomes = await hub.publishMany([
      ...to('a', 1),
      ...to('done', 2),
      ...to('b', 3),
      ...to('clock', 4),
      { channel: 'clock', event: { id: '7', data: 5 } },
      ...to('a', 6),
    ]);
    const [first, last] = await idsIn(hub, 'a');
    expect(outcomes).toEqual([
      { status: 'published', id: first },
      { status: 'failed', error: expect.objectContaining({ code: 'CHANNEL_COMPLETED' }) as unknown },
      { status: 'published', id: (await idsIn(hub, 'b'))[0] },
      { status: 'published', id: '' },
      { status: 'published', id: '7' },
      { status: 'published', id: last },
    ]);
    expect([await dataIn(hub, 'a'), hub.stats().published]).toEqual([[1, 6], 5]);
    expect(await hub.publishMany([])).toEqual([]);
  });

  it.each<[string, object, object]>([
    ['a name', { channel: 'a//b', event: { data: 1 } }, { code: 'INVALID_CHANNEL' }],
    ['an event', { channel: 'a', event: { data: 1, x: 1 } }, { code: 'INVALID_EVENT' }],
    [
      'data',
      { channel: 'checked/1', event: { data: 'x' } },
      { code: 'INVALID_DATA', cause: expect.any(Array) },
    ],
    ['an id', { channel: 'a', event: { data: 1 }, publishId: '' }, { code: 'INVALID_OPTIONS' }],
    ['a field', { channel: 'a', event: { data: 1 }, id: 'x' }, { code: 'INVALID_OPTIONS' }],
    ['a type', { channel: 'a', event: { type: 'gap', data: 1 } }, { code: 'RESERVED_TYPE' }],
  ])('publishes nothing if %s is invalid, and names its index', async (_what, wrong, refusal) => {
    const { hub } = await start();
    const given = [...to('a', 1), ...to('slow/1', 2), untyped(wrong), untyped(wrong)];
    const published = hub.publishMany(given);
    published.catch(() => undefined);
    await turn();
    for (const check of checks) check();
    await expect(published).rejects.toMatchObject({
      ...refusal,
      message: expect.stringMatching(/^Nothing was published, because of the event at index 2: /) as unknown,
    });
    expect(hub.stats()).toMatchObject({ published: 0, channels: 0 });
    await hub.publish('a', { data: 3 });
    expect(await dataIn(hub, 'a')).toEqual([3]);
  });

  it('keeps its place in the order of each channel while a schema of one of them waits', async () => {
    const { hub } = await start();
    const before = hub.publish('slow/1', { data: 1 });
    const many = hub.publishMany([...to('slow/1', 2), ...to('a', 3), ...to('slow/2', 4)]);
    const after = [hub.publish('a', { data: 5 }), hub.publish('slow/2', { data: 6 }), hub.complete('a')];
    await eventually(() => checks.length === 4);
    for (const check of checks.slice(1)) check();
    await turn();
    expect(hub.stats().published).toBe(0);
    checks[0]!();
    expect((await many).map(({ status }) => status)).toEqual(['published', 'published', 'published']);
    await Promise.all([before, ...after]);
    expect([await dataIn(hub, 'slow/1'), await dataIn(hub, 'a'), await dataIn(hub, 'slow/2')]).toEqual([
      [1, 2],
      [3, 5],
      [4, 6],
    ]);
  });

  it('stores an event with a publishId once', async () => {
    const { hub } = await start();
    const given = [{ channel: 'a', event: { data: 1 }, publishId: 'x' }];
    const first = await hub.publishMany([...given, ...given]);
    expect(await hub.publishMany(given)).toEqual([first[0]]);
    expect(first[1]).toEqual(first[0]);
    expect(await dataIn(hub, 'a')).toEqual([1]);
  });

  it('takes 1,000 events and no more, and only a list', async () => {
    const { hub } = await start();
    const numbers = Array.from({ length: 1_001 }, (_, n) => n);
    expect(await hub.publishMany(to('a', ...numbers.slice(1)))).toHaveLength(1_000);
    await expect(hub.publishMany(to('a', ...numbers))).rejects.toMatchObject({ code: 'TOO_MANY_EVENTS' });
    await expect(hub.publishMany(untyped({}))).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(hub.stats().published).toBe(1_000);
  });

  describe.each<
    [string, (define: (started: () => Promise<[number, (port: number) => BackplaneFactory]>) => void) => void]
  >([
    [
      'Redis',
      (define) =>
        describeWith('redis-server', 'over a connection', (path) =>
          define(async () => {
            const server = await RedisServer.start(path);
            whenTestEnds(() => server.dispose());
            return [
              server.port,
              (port) => redisBackplane({ connection: { url: `redis://127.0.0.1:${port}` } }),
            ];
          }),
        ),
    ],
    [
      'NATS',
      (define) =>
        describeWith('nats-server', 'over a connection', (path) =>
          define(async () => {
            const server = await NatsServer.start(path);
            whenTestEnds(() => server.dispose());
            return [
              server.port,
              (port) =>
                natsBackplane({ connection: { servers: `127.0.0.1:${port}`, ignoreClusterUpdates: true } }),
            ];
          }),
        ),
    ],
  ])('takes one round trip, with %s', (_server, describeIt) => {
    describeIt((started) => {
      it('as all events are stored before the first answer is there', async () => {
        const [port, backplane] = await started();
        const proxy = await TcpProxy.to(port);
        whenTestEnds(() => proxy.close());
        const [{ hub }, direct] = [await start(backplane(proxy.port)), await start(backplane(port))];
        const channels = Array.from({ length: 10 }, (_, n) => `channel/${n}`);
        const publications = channels.flatMap((channel) => to(channel, 1, 2, 3));
        await hub.publishMany(publications); // they are used now
        proxy.mute();
        let isOver = false;
        const many = hub.publishMany(publications).finally(() => (isOver = true));
        await eventually(async () => (await dataIn(direct.hub, 'channel/9')).length === 6);
        for (const channel of channels) expect(await dataIn(direct.hub, channel)).toEqual([1, 2, 3, 1, 2, 3]);
        expect(isOver).toBe(false);
        proxy.mend();
        expect(new Set((await many).map(({ status }) => status))).toEqual(new Set(['published']));
      });
    });
  });
});

describe('publish() to several channels', () => {
  it('answers with the ids, in the order of the channels', async () => {
    const { hub } = await start();
    const ids = await hub.publish(['a', 'clock', 'b'], { data: 1 });
    expect(ids).toEqual([(await idsIn(hub, 'a'))[0], '', (await idsIn(hub, 'b'))[0]]);
    expect([await dataIn(hub, 'a'), await dataIn(hub, 'b'), hub.stats().published]).toEqual([[1], [1], 3]);
  });

  it.each<[string, string[], object]>([
    ['no channel', [], { code: 'INVALID_CHANNEL' }],
    ['a channel twice', ['a', 'b', 'a'], { code: 'INVALID_CHANNEL' }],
    ['an invalid name', ['a', 'b/'], { code: 'INVALID_CHANNEL' }],
    ['17 channels', Array.from({ length: 17 }, (_, n) => `c${n}`), { code: 'TOO_MANY_CHANNELS' }],
    ['one whose schema refuses the data', ['a', 'checked/1'], { code: 'INVALID_DATA' }],
  ])('publishes nothing for %s', async (_what, channels, refusal) => {
    const { hub } = await start();
    await expect(hub.publish(channels, { data: 'x' })).rejects.toMatchObject(refusal);
    expect(hub.stats()).toMatchObject({ published: 0, channels: 0 });
  });

  it('checks and encodes the event once for all channels of a definition', async () => {
    const { hub } = await start();
    let encoded = 0;
    const data = { toJSON: () => ++encoded };
    await hub.publish(['a', 'b', 'c'], { data });
    const published = hub.publish(['slow/1', 'slow/2', 'checked/1'], { data: 7 });
    await eventually(() => checks.length === 1);
    checks[0]!();
    await published;
    expect([encoded, checked, await dataIn(hub, 'slow/2')]).toEqual([1, 1, [7]]);
  });

  it('says where the event is and where it is not, and a call with the same publishId completes it', async () => {
    const { hub } = await start();
    await hub.complete('brief');
    const attempt = () => hub.publish(['a', 'brief', 'b'], { data: 1 }, { publishId: 'x' });
    await expect(attempt()).rejects.toMatchObject({
      code: 'CHANNEL_COMPLETED',
      message: expect.stringMatching(/published to "a", and not to "brief", "b": /) as unknown,
      cause: expect.objectContaining({ code: 'CHANNEL_COMPLETED' }) as unknown,
    });
    expect([await dataIn(hub, 'a'), await dataIn(hub, 'b')]).toEqual([[1], []]);
    const [ids] = await eventuallyResolved(attempt);
    expect(ids).toEqual((await idsIn(hub, 'a'))[0]);
    for (const channel of ['a', 'brief', 'b']) expect(await dataIn(hub, channel)).toEqual([1]);
  });

  it('ends at the first channel where that fails, with its own error', async () => {
    const { hub } = await start();
    await hub.complete('a');
    await expect(hub.publish(['a', 'b'], { data: 1 })).rejects.toMatchObject({
      message: expect.stringMatching(/^The channel "a" was completed/) as unknown,
    });
    expect(await dataIn(hub, 'b')).toEqual([]);
  });

  it('can be emitted', async () => {
    const { hub } = await start();
    hub.emit(['a', 'b'], { data: 1 });
    hub.emit([], { data: 2 });
    await eventually(() => hub.stats().published === 2 && hub.stats().failedEmits === 1);
  });
});

describeOnRedis('publish() to several channels', (shared) => {
  it('has its place in the order of each of them', async () => {
    const { hub } = await start(shared());
    await Promise.all([
      hub.publish(['a', 'b'], { data: 1 }),
      hub.publish('b', { data: 2 }),
      hub.publish(['a', 'b'], { data: 3 }),
      hub.publish(['c', 'b'], { data: 4 }),
      hub.publishMany(to('b', 5)),
      hub.complete('b'),
    ]);
    expect([await dataIn(hub, 'a'), await dataIn(hub, 'b')]).toEqual([
      [1, 3],
      [1, 2, 3, 4, 5],
    ]);
  });
});

/** The result of the first attempt that does not fail. */
async function eventuallyResolved<T>(attempt: () => Promise<T>): Promise<T> {
  let result: T | undefined;
  await eventually(async () => (result = await attempt().catch(() => undefined)) !== undefined);
  return result as T;
}
