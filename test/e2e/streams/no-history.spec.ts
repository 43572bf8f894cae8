import { describe, expect, it } from '@jest/globals';
import { filter } from 'rxjs';
import { blocksOf } from '../../support/blocks.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route, SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

const start = (): Promise<SseApp> => {
  const events: Route = (hub) => hub.stream('news');
  const piped: Route = (hub) => hub.stream('news').pipe(filter(() => true));
  return startSseApp({ routes: { events, piped }, sse: { history: 0 } });
};

describe.each(['events', 'piped'])('a channel with history: 0, streamed by /%s', (path) => {
  it('has no ids of the hub: an id line is there only where the publisher gave an id', async () => {
    const { hub, url } = await start();
    const client = await listen(`${url}/${path}`);
    expect(await hub.publish('news', { data: 'without' })).toBe('');
    expect(await hub.publish('news', { data: 'with', id: 'my id = 1' })).toBe('my id = 1');
    expect(await hub.publish('news', { data: 'blank', id: '' })).toBe('');
    await client.take(3);
    expect(blocksOf(client).map(({ raw }) => raw)).toEqual([
      ': heartbeat 15000\nretry: 2000',
      'data: without',
      'id: my id = 1\ndata: with',
      'id: \ndata: blank',
    ]);
  });

  it('gives a client that comes back what is published from then on, and tells of no gap', async () => {
    const { hub, url } = await start();
    const first = await listen(`${url}/${path}`);
    await hub.publish('news', { data: 'seen', id: '7' });
    await first.next();
    first.close();
    await hub.publish('news', { data: 'missed', id: '8' });
    const second = await listen(`${url}/${path}`, { lastEventId: first.lastEventId });
    await hub.publish('news', { data: 'live', id: '9' });
    expect(await second.next()).toMatchObject({ type: 'message', id: '9', text: 'live' });
  });

  it('gives a new client nothing of the past, whatever replay says', async () => {
    const { hub, url } = await start();
    await hub.publish('news', { data: 'past' });
    const all: Route = (hub) => hub.stream('news', { replay: 'all' });
    const other = await startSseApp({ routes: { events: all }, sse: { history: 0, replay: 'all' } });
    await other.hub.publish('news', { data: 'past' });
    for (const app of [
      { hub, url: `${url}/${path}` },
      { hub: other.hub, url: `${other.url}/events` },
    ]) {
      const client = await listen(app.url);
      await app.hub.publish('news', { data: 'live' });
      expect((await client.next()).text).toBe('live');
    }
  });

  it('has no history to ask for', async () => {
    const { hub } = await start();
    await hub.publish('news', { data: 'past', id: '1' });
    expect(await hub.history('news')).toEqual({ events: [], start: '', position: '' });
  });

  it('takes a burst in one turn for a client that reads', async () => {
    const { hub, url } = await start();
    const client = await listen(`${url}/${path}`);
    for (let i = 0; i < 1_000; i++) void hub.publish('news', { data: i });
    const numbers = (await client.take(1_000)).map(({ text }) => Number(text));
    expect(numbers).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
  });

  it('tells a client that was too slow of a gap, without positions, and goes on', async () => {
    const { hub, url } = await start();
    const client = await listen(`${url}/${path}`);
    client.pause();
    for (let i = 1; i <= 400; i++) {
      await hub.publish('news', { type: String(i), data: 'x'.repeat(100_000) });
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.read();
    const events = await client.until(({ type }) => type === 'gap');
    const gap = events.pop()!;
    expect(gap.id).toBeUndefined();
    expect(gap.data).toMatchObject({
      channel: 'news',
      reason: 'lagged',
      oldest: null,
      latest: '',
    });
    expect(events.map(({ type }) => Number(type))).toEqual(events.map((_, i) => i + 1));
    const after = (await client.until(({ type }) => type === '400')).map(({ type }) => Number(type));
    expect(after).toEqual(after.map((_, i) => 401 - after.length + i));
  });
});

describe('a channel with history: 0 together with one that has history', () => {
  it('leaves the positions to the other, and an id of its own does not take their place', async () => {
    const { defineChannel, SseModule } = await import('../../../src/sse/index.js');
    const Chatter = defineChannel('chatter', { history: 0 });
    const both: Route = (hub) => hub.stream(['news', Chatter.of()]);
    const { hub, url } = await startSseApp({ routes: { both }, imports: [SseModule.forFeature([Chatter])] });
    const client = await listen(`${url}/both`, { reconnect: 0 });
    const id = await hub.publish('news', { data: 'one' });
    expect((await client.next()).id).toBe(id);
    await hub.publish('chatter', { data: 'hi', id: 'own' });
    expect((await client.next()).text).toBe('hi');
    client.drop();
    await hub.publish('news', { data: 'two' });
    expect((await client.next()).text).toBe('two');
  });
});
