import { describe, expect, it, jest } from '@jest/globals';
import {
  Inject,
  Injectable,
  Logger,
  Module,
  VersioningType,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { z } from 'zod';
import { redisBackplane } from '../../../src/sse/backplanes/redis/index.js';
import { SsePublishModule, type SsePublishOptions } from '../../../src/sse/http-publishing/index.js';
import { defineChannel, SseModule } from '../../../src/sse/index.js';
import type { SseHub, SseModuleOptions } from '../../../src/sse/index.js';
import { adapters } from '../../support/adapters.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { RedisServer } from '../../support/redis-server.js';
import { startSseApp, type SseAppOptions } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

const Order = defineChannel('orders/:id', {
  events: { message: z.object({ id: z.number() }), shipped: z.undefined() },
});
const News = defineChannel('news', {});
const Clock = defineChannel('clock', { history: 0 });
const order = Order.of({ id: 1 });

@Injectable()
class Keys {
  readonly key = 'secret';
}

@Module({ providers: [Keys], exports: [Keys] })
class KeysModule {}

@Injectable()
class KeyGuard implements CanActivate {
  constructor(@Inject(Keys) private readonly keys: Keys) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, unknown> }>();
    return headers['x-key'] === this.keys.key;
  }
}

const guarded = { path: 'publish', guards: [KeyGuard], imports: [KeysModule] };

const start = (
  options: Partial<SsePublishOptions> = {},
  { sse, ...app }: Omit<SseAppOptions, 'sse'> & { sse?: SseModuleOptions } = {},
) =>
  startSseApp({
    ...app,
    ...(sse && { sse }),
    routes: { events: (hub) => hub.stream(['news', order]) },
    imports: [
      SseModule.forFeature([Order, News, Clock]),
      SsePublishModule.forRoot({ ...guarded, ...options }),
    ],
  });

async function post(url: string, body: unknown, headers: Record<string, string> = {}, path = 'publish') {
  const response = await fetch(`${url}/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-key': 'secret', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const answer = (text.startsWith('{') ? JSON.parse(text) : text) as Record<string, unknown>;
  return { status: response.status, answer, retryAfter: response.headers.get('retry-after') };
}

const dataIn = async (hub: SseHub, channel: string): Promise<unknown[]> =>
  (await hub.history(channel)).events.map(({ data }) => data as unknown);
const idsIn = async (hub: SseHub, channel: string): Promise<unknown[]> =>
  (await hub.history(channel)).events.map(({ id }) => id);

describe.each(adapters)('publishing over HTTP (%s)', (adapter) => {
  it('publishes one event, to one channel or several, and answers 201 with its ids', async () => {
    const { url, hub } = await start({}, { adapter });
    const client = await listen(`${url}/events`);
    const one = await post(url, { channel: 'orders/1', data: { id: 1 } });
    expect([one.status, one.answer]).toEqual([201, { id: (await idsIn(hub, 'orders/1'))[0] }]);
    const copies = await post(url, {
      channels: ['news', 'orders/1', 'clock'],
      data: { id: 2 },
      comment: 'c',
    });
    const ids = [(await idsIn(hub, 'news'))[0], (await idsIn(hub, 'orders/1'))[1], ''];
    expect([copies.status, copies.answer]).toEqual([201, { ids }]);
    await hub.publish('news', { data: 'end' });
    const events = await client.until(({ data }) => data === 'end');
    expect(events.map(({ data }) => data as unknown)).toEqual([{ id: 1 }, { id: 2 }, 'end']);
  });

  it('publishes a batch, with an outcome for each event', async () => {
    const { url, hub } = await start({}, { adapter });
    const events = [
      { channel: 'news', type: 'a', data: 1 },
      { channel: 'orders/1', type: 'shipped' },
    ];
    const all = await post(url, { events });
    const [id] = await idsIn(hub, 'news');
    const [orderId] = await idsIn(hub, 'orders/1');
    expect([all.status, all.answer]).toEqual([
      201,
      {
        outcomes: [
          { status: 201, id },
          { status: 201, id: orderId },
        ],
      },
    ]);
    await hub.complete('news');
    const some = await post(url, { events });
    expect([some.status, some.retryAfter, some.answer['outcomes']]).toEqual([
      207,
      null,
      [
        { status: 409, error: 'CHANNEL_COMPLETED', message: expect.any(String) },
        { status: 201, id: (await idsIn(hub, 'orders/1'))[1] },
      ],
    ]);
  });

  it('says "not now" with Retry-After', async () => {
    const { url } = await start({}, { adapter, sse: { limits: { channels: 1 } } });
    expect((await post(url, { channel: 'news', data: 1 })).status).toBe(201);
    const full = await post(url, { channel: 'orders/1', data: { id: 1 } });
    expect(full).toMatchObject({ status: 503, retryAfter: '5', answer: { error: 'HUB_FULL' } });
    const batch = await post(url, { events: [{ channel: 'orders/1', data: { id: 1 } }] });
    expect(batch).toMatchObject({
      status: 207,
      retryAfter: '5',
      answer: { outcomes: [{ status: 503, error: 'HUB_FULL' }] },
    });
  });

  it('stands behind its guards, under the prefix and the version of the application', async () => {
    const { url, hub } = await start(
      { version: '2' },
      {
        adapter,
        configure: (app) => {
          app.setGlobalPrefix('api');
          app.enableVersioning({ type: VersioningType.URI });
        },
      },
    );
    const path = 'api/v2/publish';
    expect((await post(url, { channel: 'news', data: 1 }, { 'x-key': 'wrong' }, path)).status).toBe(403);
    expect((await post(url, { channel: 'news', data: 1 })).status).toBe(404);
    expect(hub.stats().published).toBe(0);
    expect((await post(url, { channel: 'news', data: 1 }, {}, path)).status).toBe(201);
  });

  it('takes no form, which a page of another origin could send', async () => {
    const { url, hub } = await start({ guards: 'none' }, { adapter });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded'])
      expect((await post(url, 'channel=news&data=1', { 'content-type': type })).status).toBe(415);
    expect(hub.stats().published).toBe(0);
  });
});

describe('publishing over HTTP', () => {
  it.each<[unknown, number, RegExp]>([
    [{}, 400, /Send JSON/],
    [[], 400, /Send JSON/],
    [{ channel: 1, data: 1 }, 400, /Send JSON/],
    [{ channel: 'news', channels: ['news'], data: 1 }, 400, /Send JSON/],
    [{ channels: 'news', data: 1 }, 400, /Send JSON/],
    [{ events: [] }, 400, /Send JSON/],
    [{ events: [{ channel: 'news', data: 1 }], channel: 'news' }, 400, /Send JSON/],
    [{ events: [{ channel: 'news', data: 1 }, { data: 1 }] }, 400, /index 1/],
    [{ channels: [], data: 1 }, 400, /at least one channel/],
    [{ channel: 'news' }, 400, /needs at least one/],
    [{ channel: 'news', data: 1, to: 'x' }, 400, /no field "to"/],
    [{ channel: 'news', type: 'gap', data: 1 }, 400, /gap/],
    [{ channel: 'news', id: '7', data: 1 }, 400, /hub makes the ids/],
    [{ channel: 'orders/1', data: 1 }, 400, /schema/],
    [
      {
        events: [
          { channel: 'news', data: 1 },
          { channel: 'orders/1', data: 1 },
        ],
      },
      400,
      /index 1/,
    ],
    [{ channel: 'done', data: 1 }, 403, /"done" may not/],
    [{ channels: ['news', 'a//b'], data: 1 }, 403, /may not/],
    [{ channel: 'news', data: 'x'.repeat(2_000) }, 413, /at most 1000/],
    [{ events: Array.from({ length: 1_001 }, () => ({ channel: 'news', data: 1 })) }, 413, /at most 1000/],
  ])('refuses %j', async (body, status, message) => {
    const { url, hub } = await start({}, { sse: { maxEventBytes: 1_000 } });
    const refused = await post(url, body);
    expect([refused.status, String(refused.answer['message'])]).toEqual([
      status,
      expect.stringMatching(message),
    ]);
    expect(hub.stats().published).toBe(0);
  });

  it('answers 409 for a completed channel, and names the code of the error', async () => {
    const { url, hub } = await start();
    await hub.complete('news');
    const { status, answer } = await post(url, { channels: ['orders/1', 'news'], data: { id: 1 } });
    expect([status, answer]).toEqual([
      409,
      {
        statusCode: 409,
        error: 'CHANNEL_COMPLETED',
        message: expect.stringMatching(/published to "orders\/1", and not to "news"/) as unknown,
      },
    ]);
  });

  it('publishes a request with an Idempotency-Key once, each event of a batch too', async () => {
    const { url, hub } = await start();
    const key = { 'idempotency-key': '"8e03978e-40d5-43dd-bc93-6894a57f9324"' };
    const once = () => post(url, { channels: ['news', 'orders/1'], data: { id: 1 } }, key);
    const first = await once();
    expect([await once(), first.status]).toEqual([first, 201]);
    const events = [
      { channel: 'news', data: 'same' },
      { channel: 'news', data: 'same' },
    ];
    const batch = () => post(url, { events }, { 'idempotency-key': 'other' });
    expect(await batch()).toEqual(await batch());
    expect([await dataIn(hub, 'news'), await dataIn(hub, 'orders/1')]).toEqual([
      [{ id: 1 }, 'same', 'same'],
      [{ id: 1 }],
    ]);
  });

  it('refuses another body with the same key, unless the one before was refused', async () => {
    const { url, hub } = await start();
    const key = { 'idempotency-key': 'a' };
    expect((await post(url, { channel: 'orders/1', data: 1 }, key)).status).toBe(400);
    expect((await post(url, { channel: 'orders/1', data: { id: 1 } }, key)).status).toBe(201);
    expect((await post(url, { channel: 'orders/1', data: { id: 2 } }, key)).status).toBe(422);
    expect(await dataIn(hub, 'orders/1')).toEqual([{ id: 1 }]);
    for (const wrong of ['""', '"a', 'a b', 'x'.repeat(129)])
      expect((await post(url, { channel: 'news', data: 1 }, { 'idempotency-key': wrong })).status).toBe(400);
  });

  it('publishes to the channels of the definitions that it is given, or to all', async () => {
    const some = await start({ channels: [Order] });
    expect((await post(some.url, { channel: 'news', data: 1 })).status).toBe(403);
    expect((await post(some.url, { channel: 'orders/1', data: { id: 1 } })).status).toBe(201);
    const all = await start({ channels: 'all' });
    expect((await post(all.url, { channel: 'anything', data: 1 })).status).toBe(201);
    expect((await post(all.url, { channel: 'a//b', data: 1 })).status).toBe(400);
  });

  it('asks for the definition that is in force, where several match', async () => {
    const Audit = defineChannel('orders/audit', {});
    const startWith = (channels: SsePublishOptions['channels']) =>
      startSseApp({
        imports: [
          SseModule.forFeature([Audit, Order]),
          SsePublishModule.forRoot({ ...guarded, ...(channels && { channels }) }),
        ],
      });
    const publish = async (channels?: SsePublishOptions['channels']): Promise<number> => {
      const { url } = await startWith(channels);
      return (await post(url, { channel: 'orders/audit', data: 1 })).status;
    };
    expect(await publish([Order])).toBe(403);
    expect(await publish([Order, Audit])).toBe(201);
    expect(await publish()).toBe(201);
  });

  it('has its rules from a factory, and several routes', async () => {
    const { url } = await startSseApp({
      imports: [
        KeysModule,
        SseModule.forFeature([Order, News]),
        SsePublishModule.forRootAsync({ ...guarded, useFactory: async () => ({ channels: [News] }) }),
        SsePublishModule.forRoot({ ...guarded, path: 'orders', channels: [Order] }),
      ],
    });
    expect((await post(url, { channel: 'news', data: 1 })).status).toBe(201);
    expect((await post(url, { channel: 'news', data: 1 }, {}, 'orders')).status).toBe(403);
  });

  it('does not start with a definition that no module lists', async () => {
    const Unlisted = defineChannel('unlisted', {});
    await expect(start({ channels: [Order, Unlisted] })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining('"unlisted"'),
    });
  });

  it('makes up no members', async () => {
    const Room = defineChannel('rooms/:id', { presence: { events: true } });
    const { url, hub } = await startSseApp({
      imports: [
        SseModule.forFeature([Room, News]),
        SsePublishModule.forRoot({ ...guarded, channels: 'all' }),
      ],
    });
    const join = { type: 'join', data: { user: 'eve' } };
    const reserved = { status: 400, answer: { error: 'RESERVED_TYPE' } };
    expect(await post(url, { channel: 'rooms/1', ...join })).toMatchObject(reserved);
    expect(await post(url, { channels: ['news', 'rooms/1'], ...join, type: 'leave' })).toMatchObject(
      reserved,
    );
    expect(await post(url, { events: [{ channel: 'rooms/1', ...join }] })).toMatchObject(reserved);
    expect(hub.stats().published).toBe(0);
    // Where the package tells of nobody, the types are the application's.
    expect((await post(url, { channel: 'news', ...join })).status).toBe(201);
    expect((await post(url, { channel: 'other', ...join })).status).toBe(201);
  });

  it('makes up no members where the module says that all channels have them', async () => {
    const { url } = await start({ channels: 'all' }, { sse: { presence: { events: true } } });
    expect((await post(url, { channel: 'other', type: 'join', data: 1 })).status).toBe(400);
  });

  it('knows a key whoever sends it, and on whichever route', async () => {
    const { url, hub } = await startSseApp({
      imports: [
        SseModule.forFeature([News]),
        SsePublishModule.forRoot(guarded),
        SsePublishModule.forRoot({ ...guarded, path: 'other' }),
      ],
    });
    const key = { 'idempotency-key': 'a' };
    const first = await post(url, { channel: 'news', data: 1 }, key);
    expect(await post(url, { channel: 'news', data: 1 }, { ...key, authorization: 'Bearer x' })).toEqual(
      first,
    );
    expect(await post(url, { channel: 'news', data: 1 }, key, 'other')).toEqual(first);
    expect(await dataIn(hub, 'news')).toEqual([1]);
  });

  it('warns where it refuses every channel', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    whenTestEnds(() => warn.mockRestore());
    await startSseApp({ imports: [SsePublishModule.forRoot({ path: 'a', guards: 'none' })] });
    expect(warn).toHaveBeenCalledWith(expect.stringMatching(/refuses every channel/));
  });

  it.each<[object]>([
    [{ guards: undefined }],
    [{ guards: [] }],
    [{ guards: 'open' }],
    [{ guards: KeyGuard }],
    [{ path: undefined }],
    [{ channels: 'some' }],
    [{ channels: ['news'] }],
    [{ decorators: [1] }],
    [{ guard: [] }],
  ])('does not start with %j', (wrong) => {
    const refusal: unknown = expect.objectContaining({ name: 'SseError', code: 'INVALID_OPTIONS' });
    expect(() => SsePublishModule.forRoot({ ...guarded, ...wrong })).toThrow(refusal);
  });

  describeWith('redis-server', 'with a Redis that is away', (path) => {
    it('answers 503 and when to try again', async () => {
      const server = await RedisServer.start(path);
      whenTestEnds(() => server.dispose());
      const backplane = redisBackplane({ connection: { url: server.url }, publishTimeout: 200 });
      const { url } = await start({}, { sse: { backplane } });
      await server.stop();
      expect(await post(url, { channel: 'news', data: 1 })).toMatchObject({ status: 503, retryAfter: '5' });
    });
  });
});
