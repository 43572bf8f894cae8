import { describe, expect, it } from '@jest/globals';
import { merge } from 'rxjs';
import { defineChannel, SseModule } from '../../../src/sse/index.js';
import type { BackplaneFactory, SseEvent, SseHub } from '../../../src/sse/index.js';
import { eventually } from '../../support/eventually.js';
import { listen } from '../../support/open-stream.js';
import { describeOnRedis } from '../../support/shared-server.js';
import { startSseApp, type Route } from '../../support/sse-app.js';
import { Publisher, ServerSockets } from '../http/stalled.js';

const Short = defineChannel('short', { history: { count: 10 }, replay: 'all' });
const Long = defineChannel('long', { history: { count: 2_000 } });
const Brief = defineChannel('brief', { ttl: 50, replay: 'all' });

const Latest = defineChannel('latest', { slow: { latest: () => 'key' } });

const routes: Record<string, Route> = {
  latest: (hub) => hub.stream(['latest', 'b']),
  first: (hub) => hub.stream('a', { replay: 'all' }),
  second: (hub) => hub.stream('b', { replay: 'all' }),
  both: (hub) => hub.stream(['a', 'b'], { replay: 'all' }),
  long: (hub) => hub.stream(['b', 'long'], { replay: 'all' }),
  turned: (hub) => hub.stream(['c', 'b', 'a'], { replay: 'all' }),
  chosen: (hub) => hub.stream(['a', 'b'], { filter: ({ channel }) => channel === 'b', replay: 'all' }),
  typed: (hub) => hub.stream(['a', 'b'], { types: ['x'], replay: 'all' }),
  apart: (hub) => merge(hub.stream('a', { replay: 'all' }), hub.stream('b', { replay: 'all' })),
  short: (hub) => hub.stream(['short', 'b']),
  brief: (hub) => hub.stream(['brief', 'b'], { replay: 'all' }),
};

const start = (backplane?: BackplaneFactory) =>
  startSseApp({
    routes,
    sse: backplane ? { backplane } : {},
    imports: [SseModule.forFeature([Short, Brief, Long, Latest])],
  });

/** All data that a route sends up to an event that is published last, to both channels. */
async function received(url: string, hub: SseHub, path: string, lastEventId = ''): Promise<string[]> {
  const client = await listen(`${url}/${path}`, { lastEventId });
  await hub.publish('a', { type: 'x', data: 'end' });
  await hub.publish('b', { type: 'x', data: 'end' });
  const isAlone = path === 'first' || path === 'second' || path === 'chosen';
  let ends = 0;
  const events = await client.until(({ text }) => text === 'end' && ++ends === (isAlone ? 1 : 2));
  client.close();
  return events.map(({ text }) => text).filter((text) => text !== 'end');
}

describe.each<[string, (name: string, define: (shared: () => BackplaneFactory | undefined) => void) => void]>(
  [
    ['memory', (name, define) => describe(name, () => define(() => undefined))],
    ['a Redis', (name, define) => describeOnRedis(name, define)],
  ],
)('an event that was published to several channels, in %s,', (_kind, describeIn) => {
  describeIn('comes', (shared) => {
    it.each([
      ['first', ['1', '2', '3']],
      ['second', ['1', '2', '3']],
      ['both', ['1', '2', '3']],
      ['turned', ['1', '2', '3']],
      ['chosen', ['1', '2', '3']],
      ['typed', ['1', '2', '3']],
      ['apart', ['1', '2', '3', '1', '2', '3']],
    ])('to the stream "%s" as often as that asks for it', async (path, expected) => {
      const { url, hub } = await start(shared());
      await hub.publish(['a', 'b'], { type: 'x', data: 1 });
      await hub.publish(['a', 'b', 'c'], { type: 'x', data: 2 });
      await hub.publish(['a', 'b'], { type: 'x', data: 3 });
      expect(await received(url, hub, path)).toEqual(expected);
    });

    it('live once, at its place among the others, and moves the positions in all its channels on', async () => {
      const { url, hub } = await start(shared());
      const client = await listen(`${url}/both`);
      await hub.publish(['a', 'b'], { data: 1 });
      await hub.publish('b', { data: 2 });
      await hub.publish(['b', 'a'], { data: 3 });
      expect((await client.take(3)).map(({ text }) => text)).toEqual(['1', '2', '3']);
      const [id] = await hub.publish(['b', 'a'], { data: 4 });
      await client.next();
      // The position in `a` moves with the next event at the latest.
      await hub.publish('b', { data: 5 });
      await client.next();
      client.close();
      expect(id).toBeDefined();
      expect(await received(url, hub, 'both', client.lastEventId)).toEqual([]);
      expect(client.events).toHaveLength(5);
    });

    it('once more to a client that was cut off between two copies', async () => {
      const { url, hub } = await start(shared());
      const before = await hub.publish('b', { data: 0 });
      const [inFirst] = await hub.publish(['a', 'b'], { data: 1 });
      expect(await received(url, hub, 'both', `a=${inFirst}&b=${before}`)).toEqual(['1']);
    });

    it('from the later channel to a client that came to the first after it', async () => {
      const { url, hub } = await start(shared());
      const before = await hub.publish('b', { data: 0 });
      await hub.publish(['a', 'b'], { data: 1 });
      const later = await hub.publish('a', { data: 2 });
      expect(await received(url, hub, 'both', `a=${later}&b=${before}`)).toEqual(['1']);
    });

    it('once each in a burst that a short history has no room for', async () => {
      const { url, hub } = await start(shared());
      const client = await listen(`${url}/short`);
      const numbers = Array.from({ length: 200 }, (_, n) => n);
      await Promise.all(numbers.map((data) => hub.publish(['short', 'b'], { data })));
      await hub.publish('b', { data: 'end' });
      const events = await client.until(({ text }) => text === 'end');
      expect(
        events
          .slice(0, -1)
          .map(({ text }) => Number(text))
          .sort((one, other) => one - other),
      ).toEqual(numbers);
    });
  });
});

describeOnRedis('an event that was published to several channels of another instance', (shared) => {
  it('comes once, live and after a reconnect', async () => {
    const backplane = shared();
    const [one, other] = [await start(backplane), await start(backplane)];
    const client = await listen(`${other.url}/turned`, { reconnect: 1 });
    for (let data = 0; data < 20; data++) {
      await one.hub.publish(data % 2 === 0 ? ['a', 'b', 'c'] : ['c', 'a'], { data });
      if (data % 7 === 3) client.drop('fin');
    }
    for (const channel of ['a', 'b', 'c']) await one.hub.publish(channel, { data: 'end' });
    let ends = 0;
    const events = await client.until(({ text }) => text === 'end' && ++ends === 3);
    const texts = events.map(({ text }) => text).filter((text) => text !== 'end');
    expect(new Set(texts)).toEqual(new Set(Array.from({ length: 20 }, (_, n) => String(n))));
  });
});

describe('an event that was published to several channels', () => {
  it('comes once where a later channel is read to it before the first is', async () => {
    const { url, hub } = await start();
    for (let n = 0; n < 1_200; n++) hub.emit('long', { data: 'before' });
    await hub.publish(['long', 'b'], { data: 1 });
    await hub.publish('long', { data: 'end' });
    const client = await listen(`${url}/long`);
    const texts = (await client.until(({ text }) => text === 'end')).map(({ text }) => text);
    expect(texts.filter((text) => text !== 'before')).toEqual(['1', 'end']);
    expect(texts.indexOf('1')).toBeLessThan(1_000);
  });

  it('is not taken for one of a log that was made anew at the same offsets', async () => {
    const { url, hub } = await start();
    await hub.publish(['brief', 'b'], { data: 'old' });
    await eventually(async () => (await hub.history('brief')).events.length === 0);
    for (let n = 0; n < 3; n++) await hub.publish('brief', { data: 'new' });
    const client = await listen(`${url}/brief`);
    const texts = (await client.take(4)).map(({ text }) => text);
    expect(texts.sort()).toEqual(['new', 'new', 'new', 'old']);
  });

  it('comes once to an Observable outside a response, from the channel that is named first', async () => {
    const { hub } = await start();
    const got: SseEvent[] = [];
    const subscription = hub.stream(['b', 'a']).subscribe((event) => got.push(event));
    await hub.publish('a', { data: 'begin' });
    await eventually(() => got.length === 1);
    await hub.publish(['a', 'b'], { data: 1 });
    await hub.publish('b', { data: 'end' });
    await eventually(() => got.at(-1)?.data === 'end');
    subscription.unsubscribe();
    expect(got.map(({ channel, data }) => [channel, data as unknown])).toEqual([
      ['a', 'begin'],
      ['a', 1],
      ['b', 'end'],
    ]);
  });

  it('comes from the later channel to a client that fell behind, where the first gives only the newest', async () => {
    const app = await start();
    const sockets = new ServerSockets(app);
    const client = await listen(`${app.url}/latest`);
    client.pause();
    await new Publisher(app.hub, 'b').fill(sockets.of(client));
    await app.hub.publish(['latest', 'b'], { type: 'copied', data: 'old' });
    await app.hub.publish('latest', { type: 'copied', data: 'new' });
    await app.hub.publish('b', { type: 'copied', data: 'end' });
    client.read();
    const events = await client.until(({ data }) => data === 'end');
    const copied = events.filter(({ type }) => type === 'copied').map(({ data }) => data);
    expect(copied).toEqual(['new', 'old', 'end']);
  });

  it('comes once where its first channel has completed', async () => {
    const { url, hub } = await start();
    const client = await listen(`${url}/both`);
    const published = hub.publish(['a', 'b'], { data: 1 });
    const completed = hub.complete('a');
    await Promise.all([published, completed]);
    await hub.publish('b', { data: 'end' });
    expect((await client.until(({ text }) => text === 'end')).map(({ text }) => text)).toEqual(['1', 'end']);
  });
});
