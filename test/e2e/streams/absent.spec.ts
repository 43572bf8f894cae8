import { Injectable } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { merge, mergeMap, Subject } from 'rxjs';
import { lmdbBackplane } from '../../../src/sse/backplanes/lmdb/index.js';
import { AuthorizeChannel } from '../../../src/sse/index.js';
import type { BackplaneFactory, SseHub } from '../../../src/sse/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route, SseApp } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const routes: Record<string, Route> = {
  one: (hub, { query }) => hub.stream(query.channel ?? 'news'),
  both: (hub) => hub.stream(['news', 'sport']),
  ending: (hub) => hub.stream('news', { ifAbsent: 'end' }),
  all: (hub) => hub.stream('news', { replay: 'all' }),
};

describe('a channel that is not there', () => {
  it('is not made by those who ask for it', async () => {
    const { hub, url } = await startSseApp({ routes, sse: { limits: { channels: 3 } } });
    for (let i = 0; i < 50; i++) {
      const client = await listen(`${url}/one?channel=fresh/${i}`);
      client.close();
      await hub.history(`other/${i}`);
      await eventually(() => hub.stats().subscribers === 0);
    }
    expect(hub.stats().channels).toBe(0);
  });

  it.each(['/one', '/both'])('has a position on %s from which its first events follow', async (path) => {
    const { hub, url } = await startSseApp({ routes });
    const client = await listen(url + path, { reconnect: 0 });
    await client.untilId();
    expect(client.lastEventId).not.toBe('');
    client.drop();
    await hub.publish('news', { data: 'first' });
    await hub.publish('news', { data: 'second' });
    expect((await client.take(2)).map(({ text }) => text)).toEqual(['first', 'second']);
  });

  it('has the position that its history gave, also after those who asked have gone', async () => {
    const { hub, url } = await startSseApp({ routes, sse: { ttl: 1_000 } });
    const { position } = await hub.history('news');
    const other = await listen(`${url}/one`);
    other.close();
    await eventually(() => hub.stats().subscribers === 0);
    expect((await hub.history('news')).position).toBe(position);
    const client = await listen(`${url}/one`, { lastEventId: position });
    await hub.publish('news', { data: 'first' });
    expect((await client.next()).text).toBe('first');
  });

  it('has another position when it has come and gone: who has the one before is told of a gap', async () => {
    const { hub, url } = await startSseApp({ routes, sse: { ttl: 20 } });
    const { position } = await hub.history('news');
    await hub.publish('news', { data: 'lost' });
    await eventually(() => hub.stats().channels === 0);
    const client = await listen(`${url}/one`, { lastEventId: position });
    const { type, data } = await client.next();
    expect([type, data]).toMatchObject(['gap', { reason: 'unknown', requested: position }]);
  });

  it('of which something was let go since is a gap, too', async () => {
    const { hub, url } = await startSseApp({ routes, sse: { history: { count: 2 } } });
    const { position } = await hub.history('news');
    for (const data of ['a', 'b', 'c']) await hub.publish('news', { data });
    const client = await listen(`${url}/one`, { lastEventId: position });
    expect((await client.take(3)).map(({ type }) => type)).toEqual(['gap', 'message', 'message']);
  });
});

describe("ifAbsent: 'end'", () => {
  it('answers 204, so that an EventSource stays away', async () => {
    const { url } = await startSseApp({ routes });
    expect((await answerTo(`${url}/ending`)).status).toBe(204);
  });

  it('streams a channel that is there, to its end, and then stays away for good', async () => {
    const { hub, url } = await startSseApp({ routes, sse: { ttl: 20 } });
    hub.stream('news').subscribe(); // so that its ttl does not begin before it has completed
    await hub.publish('news', { data: 'a' });
    const client = await listen(`${url}/ending`, { reconnect: 0 });
    await hub.publish('news', { data: 'b' });
    expect((await client.next()).text).toBe('b');
    await hub.complete('news');
    expect(await client.ended()).toBe('refused');
    await eventually(() => hub.stats().channels === 0);
    expect((await answerTo(`${url}/ending`)).status).toBe(204);
  });

  it('tells a client with a position of the gap, and then of the end', async () => {
    const { url } = await startSseApp({ routes });
    const client = await listen(`${url}/ending`, { lastEventId: '7.abcdefghijkl', reconnect: 0 });
    expect(await client.ended()).toBe('refused');
    expect(client.status).toBe(204);
    expect(client.events.map(({ type }) => type)).toEqual(['gap']);
  });

  it('completes a stream outside a response', async () => {
    const { hub } = await startSseApp();
    let isComplete = false;
    hub.stream(['a', 'b'], { ifAbsent: 'end' }).subscribe({ complete: () => (isComplete = true) });
    await eventually(() => isComplete);
  });

  it('is one of two', async () => {
    const { hub } = await startSseApp();
    expect(() => hub.stream('a', { ifAbsent: 'stop' as never })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    );
  });
});

describe("replay: 'all'", () => {
  it('tells of a gap where the beginning is not kept any more', async () => {
    const { hub, url } = await startSseApp({ routes, sse: { history: { count: 2 } } });
    for (const data of ['a', 'b', 'c']) await hub.publish('news', { data });
    const client = await listen(`${url}/all`);
    const [gap, ...events] = await client.take(3);
    expect([gap!.type, gap!.data]).toMatchObject(['gap', { reason: 'evicted', requested: '' }]);
    expect(events.map(({ text }) => text)).toEqual(['b', 'c']);
  });

  it('tells of none where everything is there, or was purged on purpose', async () => {
    const { hub, url } = await startSseApp({ routes, sse: { history: { count: 2 } } });
    await hub.publish('news', { data: 'a' });
    await hub.purge('news');
    await hub.publish('news', { data: 'b' });
    const client = await listen(`${url}/all`);
    expect((await client.next()).text).toBe('b');
  });
});

describe.each<[string, () => Promise<BackplaneFactory | undefined>]>([
  ['in memory', async () => Promise.resolve(undefined)],
  ['on LMDB', async () => lmdbBackplane({ path: await temporaryFolder() })],
])("replay: 'all', where other channels needed the room (%s)", (_, make) => {
  async function startFull(): Promise<SseApp> {
    const backplane = await make();
    const limits = { historyBytes: 2_000 };
    return startSseApp({ routes, sse: { limits, ...(backplane && { backplane }) } });
  }

  it('tells of a gap', async () => {
    const { hub, url } = await startFull();
    await hub.publish('news', { data: 'a' });
    await hub.publish('sport', { data: 'x'.repeat(1_990) });
    const latest = await hub.publish('news', { data: 'b' });
    const client = await listen(`${url}/all`);
    const { type, text } = await client.next();
    const gap = { channel: 'news', reason: 'evicted', requested: '', oldest: latest, latest };
    expect([type, text]).toEqual(['gap', JSON.stringify(gap)]);
    expect((await client.next()).text).toBe('b');
  });

  it('tells of none where the channel had been purged before', async () => {
    const { hub, url } = await startFull();
    await hub.publish('news', { data: 'a' });
    await hub.purge('news');
    await hub.publish('sport', { data: 'x'.repeat(1_990) });
    await hub.publish('news', { data: 'b' });
    const client = await listen(`${url}/all`);
    expect((await client.next()).text).toBe('b');
  });
});

describe('onCaughtUp', () => {
  const caughtUp = (make: (hub: SseHub, onCaughtUp: () => void) => ReturnType<Route>) => {
    const calls: number[] = [];
    const events: Route = (hub) => make(hub, () => calls.push(calls.length));
    return { calls, routes: { events } };
  };

  it('is called once where one of the channels, or the only one, has completed', async () => {
    for (const channels of [['done', 'live'], ['done']]) {
      const { calls, routes } = caughtUp((hub, onCaughtUp) =>
        hub.stream(channels, { replay: 'all', onCaughtUp }),
      );
      const { hub, url } = await startSseApp({ routes });
      for (const channel of channels) await hub.publish(channel, { data: channel });
      await hub.complete('done');
      const client = await listen(`${url}/events`);
      await client.take(channels.length);
      await eventually(() => calls.length > 0);
      for (const channel of channels.slice(1)) await hub.publish(channel, { data: 'after' });
      await client.take(channels.length - 1);
      expect(calls).toHaveLength(1);
    }
  });

  it('is called once where one of the channels is denied', async () => {
    @Injectable()
    class Door {
      @AuthorizeChannel('no')
      mayEnter(): boolean {
        return false;
      }
    }
    const { calls, routes } = caughtUp((hub, onCaughtUp) => hub.stream(['yes', 'no'], { onCaughtUp }));
    const { hub, url } = await startSseApp({ routes, providers: [Door] });
    const client = await listen(`${url}/events`);
    expect((await client.next()).type).toBe('denied');
    await eventually(() => calls.length > 0);
    await hub.publish('yes', { data: 'after' });
    await client.next();
    expect(calls).toHaveLength(1);
  });

  it('is called once where its channel is streamed already', async () => {
    const found = new Subject<void>();
    const { calls, routes } = caughtUp((hub, onCaughtUp) =>
      merge(hub.stream('news'), found.pipe(mergeMap(() => hub.stream('news', { types: ['x'], onCaughtUp })))),
    );
    const { hub, url } = await startSseApp({ routes });
    const client = await listen(`${url}/events`);
    await hub.publish('news', { data: 'before' });
    await client.next();
    found.next();
    await hub.publish('news', { data: 'after' });
    await client.next();
    expect(calls).toHaveLength(1);
  });

  it('is called once, when all that was there was given, with the position from which somebody else goes on', async () => {
    const { hub } = await startSseApp();
    await hub.publish('a', { data: 'a1' });
    await hub.publish('b', { data: 'b1' });
    const given: unknown[] = [];
    const positions: string[] = [];
    const onCaughtUp = (position: string): unknown => positions.push(position) && given.push('live');
    const stream = hub.stream(['a', 'b'], { replay: 'all', onCaughtUp });
    const subscription = stream.subscribe(({ data }) => given.push(data));
    await eventually(() => positions.length > 0);
    await hub.publish('b', { data: 'b2' });
    await eventually(() => given.length === 4);
    expect(given).toEqual(['a1', 'b1', 'live', 'b2']);
    expect(positions).toHaveLength(1);
    subscription.unsubscribe();
    await hub.publish('a', { data: 'a2' });
    const others: unknown[] = [];
    hub.stream(['a', 'b'], { lastEventId: positions[0]! }).subscribe(({ data }) => others.push(data));
    await eventually(() => others.length === 2);
    expect(others.sort()).toEqual(['a2', 'b2']);
  });
});
