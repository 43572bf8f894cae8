import { describe, expect, it } from '@jest/globals';
import type { SseHub, SseModuleOptions } from '../../../src/sse/index.js';
import type { TestEvent } from '../../../src/sse/testing/index.js';
import { blocksOf } from '../../support/blocks.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route, SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

const news: Route = (hub) => hub.stream('news');
const both: Route = (hub) => hub.stream(['news', 'sport']);
const dataOf = (events: readonly TestEvent[]): string[] => events.map(({ text }) => text);
const start = (sse: SseModuleOptions = {}): Promise<SseApp> =>
  startSseApp({ routes: { events: news, both }, sse });

/** The ids of events by their number, the position before the first being number 0. */
type Ids = readonly string[];

/** Publishes `news 1`, `news 2` … */
async function publish(hub: SseHub, count: number, channel = 'news'): Promise<Ids> {
  const ids = [(await hub.history(channel)).position];
  for (let i = 1; i <= count; i++) ids.push(await hub.publish(channel, { data: `${channel} ${i}` }));
  return ids;
}

/** The id of another event of the channel at an offset, as a store that came back older has given away before. */
const otherAt = (ids: Ids, offset: string): string => ids[1]!.replace(/^1\..{8}/, `${offset}.otherone`);

/** Opens a stream from a position and expects a gap, then exactly these events, and no more. */
async function expectGap(app: SseApp, lastEventId: string, gap: object, left: string[]): Promise<void> {
  const client = await listen(`${app.url}/events`, { lastEventId });
  const event = await client.next();
  expect({ ...event, data: event.data }).toMatchObject({ type: 'gap', data: gap });
  expect(event.data).toEqual(gap);
  // What the id of the gap means: from here on nothing of what is left is missing.
  const resumed = await listen(`${app.url}/events`, { lastEventId: event.id! });
  await app.hub.publish('news', { data: 'live' });
  for (const each of [client, resumed]) {
    expect(dataOf(await each.take(left.length + 1))).toEqual([...left, 'live']);
  }
}

describe('a gap', () => {
  it.each([
    ['of another log', '2.ABCDEFGHwxyz'],
    ['of version 0.1', 'a1b2c3d4e5f6-2'],
  ])("of reason 'unknown' is told to a client with a position %s", async (_, requested) => {
    const app = await start();
    const ids = await publish(app.hub, 3);
    const gap = { channel: 'news', reason: 'unknown', requested, oldest: ids[1], latest: ids[3] };
    await expectGap(app, requested, gap, ['news 1', 'news 2', 'news 3']);
  });

  it("of reason 'evicted' is told to a client whose next event is not kept any more", async () => {
    const app = await start({ history: { count: 3 } });
    const ids = await publish(app.hub, 10);
    const gap = { channel: 'news', reason: 'evicted', requested: ids[6], oldest: ids[8], latest: ids[10] };
    await expectGap(app, ids[6]!, gap, ['news 8', 'news 9', 'news 10']);
  });

  it('is not told to a client whose own event is not kept, while all after it are', async () => {
    const { hub, url } = await start({ history: { count: 3 } });
    const ids = await publish(hub, 10);
    const client = await listen(`${url}/events`, { lastEventId: ids[7]! });
    expect(dataOf(await client.take(3))).toEqual(['news 8', 'news 9', 'news 10']);
  });

  it("of reason 'unknown' is told to a client that has seen another event, at whatever offset", async () => {
    for (const offset of ['1', '3', '4', '1000000', '9007199254740991']) {
      const app = await start();
      const ids = await publish(app.hub, 3);
      const requested = otherAt(ids, offset);
      const gap = { channel: 'news', reason: 'unknown', requested, oldest: ids[1], latest: ids[3] };
      await expectGap(app, requested, gap, ['news 1', 'news 2', 'news 3']);
    }
  });

  it("of reason 'unreadable' is told to a client whose position this package never made", async () => {
    const app = await start();
    const ids = await publish(app.hub, 2);
    const requested = 'urn:uuid:5eb3 ü';
    const gap = { channel: 'news', reason: 'unreadable', requested, oldest: ids[1], latest: ids[2] };
    await expectGap(app, requested, gap, ['news 1', 'news 2']);
  });

  it.each<[string, SseModuleOptions]>([
    ['because of its age', { history: { age: 20 } }],
    ['because of the bytes of its channel', { history: { bytes: 40 } }],
    ['because other channels needed the room', { limits: { historyBytes: 1_000 } }],
  ])("of reason 'evicted' is told also if the event went %s", async (_, options) => {
    const { hub, url } = await start(options);
    const ids = await publish(hub, 3);
    if (options.limits) await hub.publish('sport', { data: 'x'.repeat(990) });
    await eventually(async () => (await hub.history('news')).events.length < 3);
    const client = await listen(`${url}/events`, { lastEventId: ids[0]! });
    const gap: unknown = (await client.next()).data;
    expect(gap).toMatchObject({ channel: 'news', reason: 'evicted', requested: ids[0], latest: ids[3] });
  });

  it('has no oldest event where none is left, and its id is then the present position', async () => {
    const app = await start();
    const ids = await publish(app.hub, 3);
    await app.hub.purge('news');
    const gap = { channel: 'news', reason: 'evicted', requested: ids[1], oldest: null, latest: ids[3] };
    await expectGap(app, ids[1]!, gap, []);
  });

  it("of reason 'lagged' is told to a client that reads on after the log has moved past it", async () => {
    const { hub, url } = await start({ history: { count: 20, bytes: Infinity } });
    const client = await listen(`${url}/events`);
    const big = 'x'.repeat(100_000);
    const ids = ['', await hub.publish('news', { type: 'big', data: big })];
    await client.next();
    client.pause();
    for (let i = 2; i <= 300; i++) ids.push(await publishInATurn(hub, big));
    client.read();
    const before = await client.until(({ type }) => type === 'gap');
    const gap = before.pop()!;
    const after = await client.take(20);
    expect(after.map(({ id }) => id)).toEqual(ids.slice(281));
    const requested = before.at(-1)!.id;
    expect(gap.data).toEqual({
      channel: 'news',
      reason: 'lagged',
      requested,
      oldest: ids[281],
      latest: ids[300],
    });
    expect(gap.id).toBe(ids[280]);
  });

  it('of one channel leaves the others of the response alone', async () => {
    const { hub, url } = await start({ history: { count: 2 } });
    const [n, s] = [await publish(hub, 5, 'news'), await publish(hub, 2, 'sport')];
    const client = await listen(`${url}/both`, { lastEventId: `news=${n[1]!}&sport=${s[1]!}` });
    const events = await client.take(4);
    const gap = events.find(({ type }) => type === 'gap')!;
    expect(gap.data).toMatchObject({ channel: 'news', reason: 'evicted', requested: n[1] });
    expect(dataOf(events.filter(({ type }) => type !== 'gap'))).toEqual(
      expect.arrayContaining(['news 4', 'news 5', 'sport 2']),
    );
    const rest = await listen(`${url}/both`, { lastEventId: gap.id! });
    const seen = new Set(dataOf(events.slice(0, events.indexOf(gap))));
    const left = ['news 4', 'news 5', 'sport 2'].filter((text) => !seen.has(text));
    expect(dataOf(await rest.take(left.length)).sort()).toEqual(left);
  });

  it.each(['events', 'both'])('is told however early the stream of /%s is cut', async (path) => {
    const { hub, url } = await start({ history: { count: 3 } });
    const [n, s] = [await publish(hub, 9, 'news'), await publish(hub, 9, 'sport')];
    const position = path === 'both' ? `sport=${s[7]!}&news=${n[2]!}` : n[2]!;
    const client = await listen(`${url}/${path}`, { lastEventId: position });
    await client.until(({ text }) => text === 'news 9');
    // What an EventSource would resume with, had the stream been cut before the gap came.
    const untold = blocksOf(client).slice(
      0,
      blocksOf(client).findIndex(({ event }) => event?.type === 'gap'),
    );
    for (const { id = position } of untold) {
      const resumed = await listen(`${url}/${path}`, { lastEventId: id });
      const events = await resumed.until(({ text }) => text === 'news 9');
      expect(events.map(({ type }) => type)).toContain('gap');
    }
  });

  it('is what a client gets after the app was started anew, with all that was published since', async () => {
    const before = await start();
    const client = await listen(`${before.url}/events`, { reconnect: 0 });
    await publish(before.hub, 3);
    await client.take(3);
    await before.close();
    const after = await startSseApp({ routes: { events: news }, port: before.port });
    const ids = await publish(after.hub, 2);
    const [gap, ...events] = await client.take(3);
    const requested = client.events[2]!.id;
    expect(gap!.data).toEqual({
      channel: 'news',
      reason: 'unknown',
      requested,
      oldest: ids[1],
      latest: ids[2],
    });
    expect(dataOf(events)).toEqual(['news 1', 'news 2']);
  });

  it('is what a client gets whose channel was given back after its ttl', async () => {
    const { hub, url } = await start({ ttl: 20 });
    const ids = await publish(hub, 2);
    await eventually(() => hub.stats().channels === 0);
    const client = await listen(`${url}/events`, { lastEventId: ids[2]! });
    const gap = (await client.next()).data as Record<string, unknown>;
    expect(gap).toMatchObject({ reason: 'unknown', requested: ids[2], oldest: null });
    expect(ids).not.toContain(gap.latest);
  });
});

/** Publishes, and lets the event loop have its turn. */
async function publishInATurn(hub: SseHub, data: string): Promise<string> {
  const id = await hub.publish('news', { type: 'big', data });
  await new Promise((resolve) => setImmediate(resolve));
  return id;
}
