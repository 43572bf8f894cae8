import { describe, expect, it } from '@jest/globals';
import { firstValueFrom, take, toArray } from 'rxjs';
import type { Observable } from 'rxjs';
import type { SseEvent, SseHub } from '../../../src/sse/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp, untilSubscribers } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

const publish = (hub: SseHub, ...texts: string[]): Promise<string[]> =>
  Promise.all(texts.map((data) => hub.publish('news', { data })));
const dataOf = (events: readonly SseEvent[]): unknown[] => events.map(({ data }) => data as unknown);
const taken = (source: Observable<SseEvent>, count: number): Promise<SseEvent[]> =>
  firstValueFrom(source.pipe(take(count), toArray()));

describe('hub.history()', () => {
  it('gives what is kept, oldest first, with the position to go on from', async () => {
    const { hub } = await startSseApp();
    const { position: start } = await hub.history('news');
    const [a] = await publish(hub, 'a');
    const b = await hub.publish('news', { type: 'shipped', data: { n: 1 }, comment: 'hm', retry: 5 });
    expect(await hub.history('news')).toEqual({
      events: [
        { channel: 'news', id: a, type: undefined, data: 'a' },
        { channel: 'news', id: b, type: 'shipped', data: { n: 1 }, comment: 'hm', retry: 5 },
      ],
      start,
      position: b,
    });
  });

  it.each<[string, Record<'after' | 'upTo' | 'limit', number>, string[], number, number]>([
    ['the newest n with limit', { limit: 2 }, ['c', 'd'], 2, 4],
    ['what came after an id', { after: 1 }, ['b', 'c', 'd'], 1, 4],
    ['the first n after an id', { after: 1, limit: 2 }, ['b', 'c'], 1, 3],
    ['nothing after the newest', { after: 4 }, [], 4, 4],
    ['nothing after the newest, with a limit', { after: 4, limit: 1 }, [], 4, 4],
    ['everything with a limit beyond it', { limit: 99 }, ['a', 'b', 'c', 'd'], 0, 4],
    ['everything after the position before the first', { after: 0 }, ['a', 'b', 'c', 'd'], 0, 4],
    ['what came up to an id', { upTo: 3 }, ['a', 'b', 'c'], 0, 3],
    ['the newest n up to an id', { upTo: 3, limit: 2 }, ['b', 'c'], 1, 3],
    ['nothing up to the position before the first', { upTo: 0 }, [], 0, 0],
  ] as never)('gives %s', async (_, { limit, after, upTo }, expected, start, position) => {
    const { hub } = await startSseApp();
    const ids = [(await hub.history('news')).position, ...(await publish(hub, 'a', 'b', 'c', 'd'))];
    const history = await hub.history('news', {
      ...(limit !== undefined && { limit }),
      ...(after !== undefined && { after: ids[after]! }),
      ...(upTo !== undefined && { upTo: ids[upTo]! }),
    });
    expect(dataOf(history.events)).toEqual(expected);
    expect(history).toMatchObject({ start: ids[start], position: ids[position] });
    expect(history).not.toHaveProperty('gap');
  });

  it.each<[string, (ids: readonly string[]) => string]>([
    ['unknown', ([, , , c]) => c!.replace(/\..{8}/, '.otherone')],
    ['unknown', () => 'abc-1'],
    ['evicted', ([start]) => start!],
    ['unreadable', () => 'what?'],
  ])('says gap: %s, and gives what is left', async (gap, after) => {
    const { hub } = await startSseApp({ sse: { history: { count: 2 } } });
    const ids = [(await hub.history('news')).position, ...(await publish(hub, 'a', 'b', 'c'))];
    const history = await hub.history('news', { after: after(ids) });
    expect(history).toMatchObject({ gap, start: ids[1], position: ids[3] });
    expect(dataOf(history.events)).toEqual(['b', 'c']);
    const first = await hub.history('news', { after: after(ids), limit: 1 });
    expect(first).toMatchObject({ gap, position: ids[2] });
    const upTo = await hub.history('news', { upTo: after(ids), limit: 1 });
    expect(upTo).toMatchObject({ gap, position: ids[3] });
  });

  it('takes the id of a stream of several channels as well', async () => {
    const { hub, url } = await startSseApp({ routes: { events: (hub) => hub.stream(['news', 'sport']) } });
    const client = await listen(`${url}/events`);
    await publish(hub, 'a');
    await client.next();
    await publish(hub, 'b');
    expect(dataOf((await hub.history('news', { after: client.lastEventId })).events)).toEqual(['b']);
  });

  it('reads page by page with position and limit, every event once', async () => {
    const { hub } = await startSseApp();
    const texts = Array.from({ length: 25 }, (_, i) => String(i));
    let after = (await hub.history('news')).position;
    await publish(hub, ...texts);
    const all: unknown[] = [];
    await publish(hub, 'end');
    for (let size = 10; size === 10;) {
      const page = await hub.history('news', { after, limit: 10 });
      all.push(...dataOf(page.events));
      after = page.position;
      size = page.events.length;
    }
    expect(all).toEqual([...texts, 'end']);
  });

  it('reads page by page backwards with start and limit, every event once', async () => {
    const { hub } = await startSseApp();
    const texts = Array.from({ length: 25 }, (_, i) => String(i));
    await publish(hub, ...texts);
    let page = await hub.history('news', { limit: 10 });
    const all = dataOf(page.events);
    while (page.events.length === 10) {
      page = await hub.history('news', { upTo: page.start, limit: 10 });
      all.unshift(...dataOf(page.events));
    }
    expect(all).toEqual(texts);
  });

  it('has one position for several channels, in the order of their publishing, page by page', async () => {
    const channels = ['a', 'b', 'c'];
    const { hub, url } = await startSseApp({ routes: { events: (hub) => hub.stream(channels) } });
    const texts = Array.from({ length: 20 }, (_, i) => String(i));
    let after = (await hub.history(channels)).position;
    for (const text of texts) {
      await hub.publish(Number(text) % 3 === 0 ? 'a' : 'b', { data: text });
      // The order between channels is that of whole milliseconds.
      const now = Date.now();
      await eventually(() => Date.now() > now);
    }
    const all: unknown[] = [];
    for (let size = 7; size === 7;) {
      const page = await hub.history(channels, { after, limit: 7 });
      all.push(...dataOf(page.events));
      after = page.position;
      size = page.events.length;
    }
    expect(all).toEqual(texts);
    let page = await hub.history(channels, { limit: 7 });
    const back = dataOf(page.events);
    while (page.events.length === 7) {
      page = await hub.history(channels, { upTo: page.start, limit: 7 });
      back.unshift(...dataOf(page.events));
    }
    expect(back).toEqual(texts);
    const client = await listen(`${url}/events`, { lastEventId: after });
    await hub.publish('c', { data: 'first of c' });
    await hub.publish('a', { data: 'next of a' });
    expect((await client.take(2)).map(({ text }) => text).sort()).toEqual(['first of c', 'next of a']);
  });

  it('takes "after" or "upTo", not both', async () => {
    const { hub } = await startSseApp();
    const both = hub.history('news', { after: '1.x', upTo: '2.x' });
    await expect(both).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  it('is continued by a stream from its position, without a hole, whatever is published in between', async () => {
    let position = '';
    const { hub, url } = await startSseApp({
      routes: { events: (hub) => hub.stream('news', { lastEventId: position }) },
    });
    await publish(hub, 'a', 'b');
    ({ position } = await hub.history('news'));
    await publish(hub, 'c');
    const client = await listen(`${url}/events`);
    await publish(hub, 'd');
    expect((await client.take(2)).map(({ text }) => text)).toEqual(['c', 'd']);
  });

  it('is continued by a stream also if the channel was not there yet', async () => {
    const { hub } = await startSseApp();
    const { events, position } = await hub.history('news');
    expect(events).toEqual([]);
    expect(hub.stats().channels).toBe(0);
    await publish(hub, 'a', 'b');
    const stream = hub.stream('news', { lastEventId: position });
    expect(dataOf(await taken(stream, 2))).toEqual(['a', 'b']);
  });
});

describe('hub.stream() outside a response', () => {
  it('begins with what replay says and goes on live', async () => {
    const { hub } = await startSseApp();
    const ids = await publish(hub, 'a', 'b');
    const events = taken(hub.stream('news', { replay: 1 }), 2);
    await untilSubscribers(hub, 'news', 1);
    const [c] = await publish(hub, 'c');
    expect(await events).toEqual([
      { channel: 'news', id: ids[1], type: undefined, data: 'b' },
      { channel: 'news', id: c, type: undefined, data: 'c' },
    ]);
  });

  it('begins at the position it is given', async () => {
    const { hub } = await startSseApp();
    const [a] = await publish(hub, 'a', 'b', 'c');
    expect(dataOf(await taken(hub.stream('news', { lastEventId: a! }), 2))).toEqual(['b', 'c']);
  });

  it('has a gap as one of its events', async () => {
    const { hub } = await startSseApp();
    const { position } = await hub.history('news');
    const [a] = await publish(hub, 'a');
    const [gap, first] = await taken(hub.stream('news', { lastEventId: 'zzz-5' }), 2);
    const data = { channel: 'news', reason: 'unknown', requested: 'zzz-5', oldest: a, latest: a };
    expect(gap).toEqual({ channel: 'news', id: position, type: 'gap', data });
    expect(first).toMatchObject({ id: a });
  });

  it('gives every subscriber its own course, and leaves nothing behind when they are gone', async () => {
    const { hub } = await startSseApp();
    await publish(hub, 'a', 'b');
    const stream = hub.stream('news', { replay: 'all' });
    expect(dataOf(await taken(stream, 1))).toEqual(['a']);
    expect(dataOf(await taken(stream, 2))).toEqual(['a', 'b']);
    expect(hub.stats().subscribers).toBe(0);
  });

  it('may be used to publish from: nothing is lost, and the order stays', async () => {
    const { hub, url } = await startSseApp({ routes: { events: (hub) => hub.stream('progress') } });
    const client = await listen(`${url}/events`);
    const work = hub.stream('jobs').subscribe(({ data }) => {
      for (let i = 0; i < 300; i++) void hub.publish('progress', { data: { job: data as unknown, i } });
      if (data < 5) void hub.publish('jobs', { data: Number(data) + 1 });
    });
    await untilSubscribers(hub, 'jobs', 1);
    await hub.publish('jobs', { data: 1 });
    const progress = (await client.take(1_500)).map(({ data }) => data as unknown);
    expect(progress).toEqual(progress.map((_, n) => ({ job: 1 + Math.floor(n / 300), i: n % 300 })));
    work.unsubscribe();
    await untilSubscribers(hub, 'jobs', 0);
  });

  it('hands out data as a client would see it: a copy, frozen, the same for all', async () => {
    const { hub } = await startSseApp();
    const order = { items: ['tea'], at: new Date(0), none: undefined };
    await hub.publish('news', { data: order });
    order.items.push('milk');
    const [event] = await taken(hub.stream('news', { replay: 'all' }), 1);
    expect(event!.data).toEqual({ items: ['tea'], at: '1970-01-01T00:00:00.000Z' });
    expect(() => (event!.data as typeof order).items.push('milk')).toThrow(TypeError);
    expect((await hub.history('news')).events[0]).toBe(event);
  });

  it('completes when its channels do, and when the app closes', async () => {
    const { hub, close } = await startSseApp();
    const [completed, closed] = [taken(hub.stream(['a', 'b']), 9), taken(hub.stream('c'), 9)];
    await untilSubscribers(hub, 'c', 1);
    await hub.publish('b', { data: 'last' });
    await Promise.all([hub.complete('a'), hub.complete('b')]);
    expect(dataOf(await completed)).toEqual(['last']);
    await hub.publish('c', { data: 'before the end' });
    await close();
    expect(dataOf(await closed)).toEqual(['before the end']);
  });
});
