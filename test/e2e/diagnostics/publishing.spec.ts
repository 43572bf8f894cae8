import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { from, throwError } from 'rxjs';
import { defineChannel, listenTo, SseModule } from '../../../src/sse/index.js';
import { describeOnRedis } from '../../support/shared-server.js';
import { startSseApp, type RouteRequest, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { instanceOf, Told } from './told.js';

const Room = defineChannel('rooms/:id');

const start = (): Promise<SseApp> =>
  startSseApp({
    imports: [SseModule.forFeature([Room])],
    routes: { events: (hub) => hub.stream('rooms/a') },
  });

const CALL = ['publish:start', 'publish:error', 'publish:asyncEnd'] as const;

describe('publish()', () => {
  it('is told of from its start to its end', async () => {
    const app = await start();
    const told = Told.of(app, ...CALL);
    const before = performance.now();
    const id = await app.hub.publish('rooms/a', { type: 'note', data: 'é' });
    const of = { hub: instanceOf(app), channel: 'rooms/a', definition: 'rooms/:id', type: 'note' };
    const started = await told.next('publish:start');
    expect(started).toEqual({ ...of, startedAt: expect.any(Number) });
    expect(started.startedAt).toBeGreaterThanOrEqual(before);
    const bytes = Buffer.byteLength('event: note\ndata: é\n\n');
    expect(await told.next('publish:asyncEnd')).toMatchObject({ ...of, result: { id }, bytes });
  });

  it('is told of with its error, also for a channel that is refused, and what is no event', async () => {
    const app = await start();
    const told = Told.of(app, ...CALL);
    const calls = [
      [app.hub.publish('rooms/a', { data: undefined }), 'INVALID_EVENT', 'rooms/:id'],
      [app.hub.publish('a\n', { data: 'x' }), 'INVALID_CHANNEL', undefined],
      [app.hub.publish('rooms/a', undefined as never), 'INVALID_EVENT', 'rooms/:id'],
    ] as const;
    for (const [call, code, definition] of calls) {
      await expect(call).rejects.toMatchObject({ code });
      const ofCall = told.all.filter(
        ({ message }) => (message as { error?: { code: string } }).error?.code === code,
      );
      expect(ofCall.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['publish:error', 'publish:asyncEnd']),
      );
      expect(ofCall[0]!.message).toMatchObject({ definition });
    }
  });

  it('rejects and does not throw where the type of an event cannot be read, whether somebody listens or not', async () => {
    const app = await start();
    const event = {
      get type(): string {
        throw new Error('no type');
      },
    };
    await expect(app.hub.publish('rooms/a', event)).rejects.toThrow('no type');
    const told = Told.of(app, ...CALL);
    await expect(app.hub.publish('rooms/a', event)).rejects.toThrow('no type');
    expect(told.all.map(({ name }) => name)).toEqual(['publish:start', 'publish:error', 'publish:asyncEnd']);
  });

  it('starts in the context of its caller, and emit() is told of as well', async () => {
    const app = await start();
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const end = listenTo({ 'publish:start': () => seen.push(storage.getStore()) }, instanceOf(app));
    storage.run('mine', () => app.hub.emit('rooms/a', { data: 'x' }));
    end();
    expect(seen).toEqual(['mine']);
  });

  it('has the channel completed and purged', async () => {
    const app = await start();
    const told = Told.of(app, 'channel:purged', 'channel:completed');
    await app.hub.publish('rooms/a', { data: 'x' });
    await app.hub.purge('rooms/a');
    await app.hub.complete('rooms/a');
    const of = { hub: instanceOf(app), channel: 'rooms/a', definition: 'rooms/:id' };
    expect(await told.next('channel:purged')).toEqual(of);
    expect(await told.next('channel:completed')).toEqual(of);
  });
});

describe('pipe()', () => {
  it('is told of with the number of its events, or with its error', async () => {
    const app = await start();
    const told = Told.of(app, 'pipe:began', 'pipe:ended');
    const of = { hub: instanceOf(app), channel: 'rooms/a', definition: 'rooms/:id' };
    await app.hub.pipe('rooms/a', from([{ data: '1' }, { data: '2' }]));
    expect(await told.next('pipe:began')).toEqual(of);
    expect(await told.next('pipe:ended')).toEqual({ ...of, published: 2, error: undefined });

    const error = new Error('the source');
    const listening = Told.of(app, 'pipe:ended');
    await expect(
      app.hub.pipe(
        'rooms/b',
        throwError(() => error),
      ),
    ).rejects.toBe(error);
    expect(await listening.next('pipe:ended')).toMatchObject({
      channel: 'rooms/b',
      published: undefined,
      error,
    });
  });
});

describeOnRedis('orders of two instances', (shared) => {
  it('are told of on each, with the instance that gave them', async () => {
    const backplane = shared();
    const instance = (): Promise<SseApp> =>
      startSseApp({
        sse: { backplane, identify: ({ query }: RouteRequest) => ({ user: query['user']! }) },
        routes: { events: (hub) => hub.stream(['rooms/a', 'rooms/b']) },
      });
    const [one, other] = [await instance(), await instance()];
    await listen(`${other.url}/events?user=ada`);
    const here = Told.of(one, 'order:obeyed');
    const there = Told.of(other, 'order:obeyed');
    await one.hub.revoke('ada', 'rooms/a');
    const order = { about: 'revoke', from: instanceOf(one) };
    expect(await here.next('order:obeyed')).toEqual({ ...order, hub: instanceOf(one), streams: 0 });
    expect(await there.next('order:obeyed')).toEqual({ ...order, hub: instanceOf(other), streams: 1 });
  });
});
