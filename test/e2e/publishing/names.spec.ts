import { describe, expect, it } from '@jest/globals';
import { merge } from 'rxjs';
import { defineChannel, SseModule } from '../../../src/sse/index.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';

const ODD = [
  'Ümläute und 日本語',
  'smile 😀',
  ' spaces at both ends ',
  'a=b&c=d',
  '100% %41 %zz',
  '..',
  '../../etc/passwd',
  '.',
  'semi;colon,comma"quote\'',
  'plus+hash#question?',
  '__proto__',
  'constructor',
  'zzz-1',
  'colon:inside',
  'x'.repeat(200),
];
const news = (channels: readonly string[]): Record<string, Route> => ({
  events: (hub) => hub.stream(channels),
});
const TOO_MANY: unknown = expect.objectContaining({ code: 'TOO_MANY_CHANNELS' });

describe('a channel name', () => {
  it('may be odd: it is streamed, resumed and kept apart by that name', async () => {
    const { hub, url } = await startSseApp({
      routes: {
        one: (hub, { query }) => hub.stream(query['name']!),
        both: (hub, { query }) => hub.stream([query['name']!, 'other']),
      },
    });
    for (const name of ODD) {
      const query = `name=${encodeURIComponent(name)}`;
      const one = await listen(`${url}/one?${query}`, { reconnect: 0 });
      const both = await listen(`${url}/both?${query}`, { reconnect: 0 });
      for (const data of ['before', 'after the cut']) {
        const id = await hub.publish(name, { data });
        await hub.publish('other', { data: 'other' });
        expect(await one.next()).toMatchObject({ type: 'message', id, text: data });
        expect((await both.take(2)).map((event) => event.text).sort()).toEqual([data, 'other'].sort());
        for (const client of [one, both]) client.drop();
      }
      expect(await hub.subscriberCount(name)).toBeLessThanOrEqual(2);
      for (const client of [one, both]) client.close();
    }
  });

  it('is told in a gap as it is', async () => {
    const { hub, url } = await startSseApp({ routes: news(ODD) });
    for (const name of ODD) await hub.publish(name, { data: name });
    const client = await listen(`${url}/events`, { lastEventId: 'zzzz-1' });
    const gaps = (await client.take(2 * ODD.length)).filter(({ type }) => type === 'gap');
    expect(gaps.map(({ data }) => (data as { channel: string }).channel)).toEqual(ODD);
  });

  it('that is ill-formed is refused by every call', async () => {
    const cases = [
      '',
      '/',
      'a/',
      '/a',
      'a//b',
      'tab\t',
      'line\n',
      'nul\0',
      'half \ud800',
      'orders/:id',
      'orders/{id}',
      'x'.repeat(201),
      7,
      null,
      undefined,
      {},
    ];
    const { hub } = await startSseApp();
    const refused = { code: 'INVALID_CHANNEL' };
    for (const name of cases) {
      const bad = name as string;
      await expect(hub.publish(bad, { data: 'x' })).rejects.toMatchObject(refused);
      await expect(hub.history(bad)).rejects.toMatchObject(refused);
      await expect(hub.complete(bad)).rejects.toMatchObject(refused);
      await expect(hub.purge(bad)).rejects.toMatchObject(refused);
      await expect(hub.subscriberCount(bad)).rejects.toMatchObject(refused);
      expect(() => hub.stream([bad])).toThrow(expect.objectContaining(refused));
      expect(hub.stats().channels).toBe(0);
    }
  });

  it('made by a definition keeps what a parameter holds in one segment', async () => {
    const Room = defineChannel('rooms/:room', { replay: 'all' });
    const rooms = ['a/b', '../secret', 'a%2Fb', 'ü', ' ', '100%'];
    const { hub } = await startSseApp({ imports: [SseModule.forFeature([Room])] });
    const names = rooms.map((room) => Room.of({ room }));
    expect(new Set(names).size).toBe(rooms.length);
    for (const name of names) expect(name.split('/')).toHaveLength(2);
    expect(() => Room.of({ room: '' })).toThrow(expect.objectContaining({ code: 'INVALID_CHANNEL' }));
    await hub.publish(names[0]!, { data: 'x' });
    expect((await hub.history('rooms/a%2Fb')).events).toHaveLength(1);
    expect((await hub.history('rooms/a/b')).events).toHaveLength(0);
  });
});

describe('a set of channels', () => {
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `c${i}`);

  it('may have 50, which all resume, and the one beyond is refused', async () => {
    const { hub, url } = await startSseApp({ routes: news(many(50)) });
    const client = await listen(`${url}/events`, { reconnect: 0 });
    await hub.publish('c0', { data: 'first' });
    await client.next();
    client.drop();
    for (const name of many(50)) void hub.publish(name, { data: name });
    const texts = (await client.take(50)).map(({ text }) => text);
    expect(texts.sort()).toEqual(many(50).sort());
    expect(Buffer.byteLength(client.lastEventId)).toBeLessThanOrEqual(4096);
    expect(() => hub.stream(many(51))).toThrow(TOO_MANY);
  });

  it('counts a channel that is named twice once, and has each of its events once', async () => {
    const { hub, url } = await startSseApp({
      routes: news(['a', 'b', 'a', 'a']),
      sse: { limits: { channelsPerConnection: 2 } },
    });
    const client = await listen(`${url}/events`);
    for (const data of ['1', '2']) await hub.publish('a', { data });
    expect((await client.take(2)).map(({ text }) => text)).toEqual(['1', '2']);
  });

  it('must not be empty', async () => {
    const { hub } = await startSseApp();
    expect(() => hub.stream([])).toThrow(expect.objectContaining({ code: 'INVALID_CHANNEL' }));
  });

  it('is refused at once if an id could get longer than 4,096 bytes', async () => {
    const { hub } = await startSseApp();
    const long = Array.from({ length: 21 }, (_, i) => `${i}`.padEnd(200, 'x'));
    expect(() => hub.stream(long)).toThrow(TOO_MANY);
    expect(() => hub.stream(long.slice(0, 10).map((name) => name.replaceAll('x', 'ü')))).toThrow(TOO_MANY);
  });

  it('that is let in has ids that any server takes back', async () => {
    const names = Array.from({ length: 16 }, (_, i) => `${i}`.padEnd(200, 'x'));
    const { hub, url } = await startSseApp({ routes: news(names) });
    const client = await listen(`${url}/events`, { reconnect: 0 });
    await hub.publish(names[0]!, { data: 'a' });
    expect(Buffer.byteLength((await client.next()).id!)).toBeLessThanOrEqual(4096);
    client.drop();
    await hub.publish(names[15]!, { data: 'b' });
    expect((await client.next()).text).toBe('b');
  });

  it.each<[string, Route]>([
    ['too many in one call', (hub) => hub.stream(many(4))],
    ['too many in several calls', (hub) => merge(hub.stream(many(3)), hub.stream('d'))],
  ])('with %s is an HTTP error before the stream starts, and leaves nothing behind', async (_, route) => {
    const { hub, url } = await startSseApp({
      routes: { events: route },
      sse: { limits: { channelsPerConnection: 3 } },
    });
    expect((await answerTo(`${url}/events`)).status).toBe(500);
    expect(hub.stats()).toMatchObject({ connections: 0, subscribers: 0 });
  });
});
