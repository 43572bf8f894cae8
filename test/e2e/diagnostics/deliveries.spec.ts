import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { map, Subject } from 'rxjs';
import { defineChannel, OnSubscribe, SseModule } from '../../../src/sse/index.js';
import { startSseApp, untilSubscribers, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { instanceOf, Told } from './told.js';

const Room = defineChannel('rooms/:id', { replay: 'all' });

@Injectable()
class Failing {
  @OnSubscribe('rooms/:id')
  came(): void {
    throw new Error('no hook');
  }
}

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

const start = (): Promise<SseApp> =>
  startSseApp({
    imports: [SseModule.forFeature([Room])],
    providers: [Failing],
    routes: {
      batches: (hub) => hub.stream('rooms/a'),
      values: (hub) => hub.stream('rooms/a').pipe(map((event) => event)),
    },
  });

/** The size of an event without its id, as it is on the wire. */
const sizeOf = (data: string): number => Buffer.byteLength(`data: ${data}\n\n`);

describe.each(['batches', 'values'])('deliveries of a response that is fed by %s', (path) => {
  it('are told once a turn and channel, with their number, size and lag', async () => {
    const app = await start();
    const clients = [await listen(`${app.url}/${path}`), await listen(`${app.url}/${path}`)];
    await untilSubscribers(app.hub, 'rooms/a', 2);
    const told = Told.of(app, 'channel:delivered');
    await Promise.all(['one', 'two', 'three'].map((data) => app.hub.publish('rooms/a', { data })));
    for (const client of clients) await client.take(3);
    const message = await told.next('channel:delivered');
    expect(message).toEqual({
      ...{ hub: instanceOf(app), channel: 'rooms/a', definition: 'rooms/:id' },
      deliveries: 6,
      bytes: 2 * ['one', 'two', 'three'].reduce((sum, data) => sum + sizeOf(data), 0),
      replayed: 0,
      duration: expect.any(Number),
      lag: { min: expect.any(Number), max: expect.any(Number) },
      upTo: 3,
      traces: [],
    });
    const { lag, duration } = message;
    expect(lag!.min).toBeGreaterThanOrEqual(0);
    expect(lag!.max).toBeGreaterThanOrEqual(lag!.min);
    expect(duration).toBeLessThan(10_000);

    await app.hub.publish('rooms/a', { data: 'four' });
    for (const client of clients) await client.next();
    expect(await told.next('channel:delivered')).toMatchObject({ deliveries: 2, upTo: 4 });
    await nextTurn();
    expect(told.all).toHaveLength(2);
  });

  it('of events that were there before are counted as replayed, and have no lag and no trace', async () => {
    const app = await start();
    await app.hub.publish('rooms/a', { data: 'one' });
    const told = Told.of(app, 'channel:delivered');
    await (await listen(`${app.url}/${path}`)).next();
    expect(await told.next('channel:delivered')).toMatchObject({
      ...{ deliveries: 1, replayed: 1, lag: undefined, traces: [] },
    });
  });

  it('have the traces that events were published with, each once', async () => {
    const app = await start();
    const clients = [await listen(`${app.url}/${path}`), await listen(`${app.url}/${path}`)];
    await untilSubscribers(app.hub, 'rooms/a', 2);
    const told = Told.of(app, 'channel:delivered');
    const publishing = Told.of(app, 'publish:start');
    const traces = [TRACE, undefined, TRACE.replace('-00f0', '-10f0'), 'no trace'];
    const set = traces[Symbol.iterator]();
    const { listenTo } = await import('../../../src/sse/index.js');
    const end = listenTo({ 'publish:start': (call) => (call.trace = set.next().value ?? undefined) });
    for (const data of ['one', 'two', 'three', 'four']) void app.hub.publish('rooms/a', { data });
    end();
    for (const client of clients) await client.take(4);
    expect(await told.next('channel:delivered')).toMatchObject({
      ...{ deliveries: 8, traces: [traces[0], traces[2]] },
    });
    expect(publishing.all).toHaveLength(4);
  });
});

describe('a stream outside a response', () => {
  it('counts among the deliveries', async () => {
    const app = await start();
    const told = Told.of(app, 'channel:delivered');
    const got = new Subject<unknown>();
    const subscription = app.hub.stream('rooms/a').subscribe(got);
    await untilSubscribers(app.hub, 'rooms/a', 1);
    await app.hub.publish('rooms/a', { data: 'one' });
    expect(await told.next('channel:delivered')).toMatchObject({ deliveries: 1 });
    subscription.unsubscribe();
  });
});

describe('a hook that fails', () => {
  it('is told of with its name and error', async () => {
    const app = await start();
    const told = Told.of(app, 'hook:failed');
    await listen(`${app.url}/batches`);
    expect(await told.next('hook:failed')).toEqual({
      ...{ hub: instanceOf(app), channel: 'rooms/a', definition: 'rooms/:id' },
      hook: 'Failing.came()',
      error: new Error('no hook'),
    });
  });
});
