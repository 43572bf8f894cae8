import { describe, expect, it } from '@jest/globals';
import type { SseHub, SseModuleOptions } from '../../../src/sse/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route, SseApp } from '../../support/sse-app.js';
import { SseClient } from '../../support/sse-client.js';
import type { ReceivedEvent } from '../../support/sse-client.js';

const news: Route = (hub) => hub.stream('news');
const both: Route = (hub) => hub.stream(['news', 'sport']);
const dataOf = (events: readonly ReceivedEvent[]): string[] => events.map(({ data }) => data);
const start = (sse: SseModuleOptions = {}): Promise<SseApp> =>
  startSseApp({ routes: { events: news, both }, sse });

/** Publishes `news 1`, `news 2` … and gives the epoch of the channel. */
async function publish(hub: SseHub, count: number, channel = 'news'): Promise<string> {
  let id = '';
  for (let i = 1; i <= count; i++) id = await hub.publish(channel, { data: `${channel} ${i}` });
  return id.split('-')[0]!;
}

/** Opens a stream from a position and expects a gap, then exactly these events, and no more. */
async function expectGap(app: SseApp, lastEventId: string, gap: object, left: string[]): Promise<void> {
  const client = await SseClient.open(`${app.url}/events`, { lastEventId });
  const event = await client.next();
  expect({ ...event, data: JSON.parse(event.data) }).toMatchObject({ type: 'gap', data: gap });
  expect(JSON.parse(event.data)).toEqual(gap);
  // What the id of the gap means: from here on nothing of what is left is missing.
  const resumed = await SseClient.open(`${app.url}/events`, { lastEventId: event.id! });
  await app.hub.publish('news', { data: 'live' });
  for (const each of [client, resumed]) {
    expect(dataOf(await each.take(left.length + 1))).toEqual([...left, 'live']);
  }
}

describe('a gap', () => {
  it("of reason 'epoch' is told to a client with a position in another log", async () => {
    const app = await start();
    const e = await publish(app.hub, 3);
    const gap = { channel: 'news', reason: 'epoch', requested: 'zzzz-2', oldest: `${e}-1`, latest: `${e}-3` };
    await expectGap(app, 'zzzz-2', gap, ['news 1', 'news 2', 'news 3']);
  });

  it("of reason 'evicted' is told to a client whose next event is not kept any more", async () => {
    const app = await start({ history: { count: 3 } });
    const e = await publish(app.hub, 10);
    const gap = {
      channel: 'news',
      reason: 'evicted',
      requested: `${e}-6`,
      oldest: `${e}-8`,
      latest: `${e}-10`,
    };
    await expectGap(app, `${e}-6`, gap, ['news 8', 'news 9', 'news 10']);
  });

  it('is not told to a client whose own event is not kept, while all after it are', async () => {
    const { hub, url } = await start({ history: { count: 3 } });
    const e = await publish(hub, 10);
    const client = await SseClient.open(`${url}/events`, { lastEventId: `${e}-7` });
    expect(dataOf(await client.take(3))).toEqual(['news 8', 'news 9', 'news 10']);
  });

  it.each(['4', '1000000', '9007199254740991'])(
    "of reason 'ahead' is told to a client at the offset %s of 3",
    async (offset) => {
      const app = await start();
      const e = await publish(app.hub, 3);
      const requested = `${e}-${offset}`;
      const gap = { channel: 'news', reason: 'ahead', requested, oldest: `${e}-1`, latest: `${e}-3` };
      await expectGap(app, requested, gap, ['news 1', 'news 2', 'news 3']);
    },
  );

  it("of reason 'unreadable' is told to a client whose position this package never made", async () => {
    const app = await start();
    const e = await publish(app.hub, 2);
    const requested = 'urn:uuid:5eb3 ü';
    const gap = { channel: 'news', reason: 'unreadable', requested, oldest: `${e}-1`, latest: `${e}-2` };
    await expectGap(app, requested, gap, ['news 1', 'news 2']);
  });

  it.each<[string, SseModuleOptions]>([
    ['because of its age', { history: { age: 20 } }],
    ['because of the bytes of its channel', { history: { bytes: 40 } }],
    ['because other channels needed the room', { limits: { historyBytes: 1_000 } }],
  ])("of reason 'evicted' is told also if the event went %s", async (_, options) => {
    const { hub, url } = await start(options);
    const e = await publish(hub, 3);
    if (options.limits) await hub.publish('sport', { data: 'x'.repeat(990) });
    await eventually(async () => (await hub.history('news')).events.length < 3);
    const client = await SseClient.open(`${url}/events`, { lastEventId: `${e}-0` });
    const gap: unknown = JSON.parse((await client.next()).data);
    expect(gap).toMatchObject({ channel: 'news', reason: 'evicted', requested: `${e}-0`, latest: `${e}-3` });
  });

  it('has no oldest event where none is left, and its id is then the present position', async () => {
    const app = await start();
    const e = await publish(app.hub, 3);
    await app.hub.purge('news');
    const gap = { channel: 'news', reason: 'evicted', requested: `${e}-1`, oldest: null, latest: `${e}-3` };
    await expectGap(app, `${e}-1`, gap, []);
  });

  it("of reason 'lagged' is told to a client that reads on after the log has moved past it", async () => {
    const { hub, url } = await start({ history: { count: 20, bytes: Infinity } });
    const client = await SseClient.open(`${url}/events`);
    const big = 'x'.repeat(100_000);
    const first = await hub.publish('news', { type: 'big', data: big });
    await client.next();
    client.pause();
    for (let i = 2; i <= 300; i++) await publishInATurn(hub, big);
    client.resume();
    const before = await client.until(({ type }) => type === 'gap');
    const gap = before.pop()!;
    const e = first.split('-')[0]!;
    const after = await client.take(20);
    const offsets = after.map(({ id }) => id);
    expect(offsets).toEqual(Array.from({ length: 20 }, (_, i) => `${e}-${i + 281}`));
    const requested = before.at(-1)!.id;
    expect(JSON.parse(gap.data)).toEqual({
      channel: 'news',
      reason: 'lagged',
      requested,
      oldest: `${e}-281`,
      latest: `${e}-300`,
    });
    expect(gap.id).toBe(`${e}-280`);
  });

  it('of one channel leaves the others of the response alone', async () => {
    const { hub, url } = await start({ history: { count: 2 } });
    const [e, s] = [await publish(hub, 5, 'news'), await publish(hub, 2, 'sport')];
    const client = await SseClient.open(`${url}/both`, { lastEventId: `news=${e}-1&sport=${s}-1` });
    const events = await client.take(4);
    const gap = events.find(({ type }) => type === 'gap')!;
    expect(JSON.parse(gap.data)).toMatchObject({ channel: 'news', reason: 'evicted', requested: `${e}-1` });
    expect(dataOf(events.filter(({ type }) => type !== 'gap'))).toEqual(
      expect.arrayContaining(['news 4', 'news 5', 'sport 2']),
    );
    const rest = await SseClient.open(`${url}/both`, { lastEventId: gap.id! });
    const seen = new Set(dataOf(events.slice(0, events.indexOf(gap))));
    const left = ['news 4', 'news 5', 'sport 2'].filter((text) => !seen.has(text));
    expect(dataOf(await rest.take(left.length)).sort()).toEqual(left);
  });

  it.each(['events', 'both'])('is told however early the stream of /%s is cut', async (path) => {
    const { hub, url } = await start({ history: { count: 3 } });
    const [e, s] = [await publish(hub, 9, 'news'), await publish(hub, 9, 'sport')];
    const position = path === 'both' ? `sport=${s}-7&news=${e}-2` : `${e}-2`;
    const client = await SseClient.open(`${url}/${path}`, { lastEventId: position });
    await client.until(({ data }) => data === 'news 9');
    // What an EventSource would resume with, had the stream been cut before the gap came.
    const untold = client.blocks.slice(
      0,
      client.blocks.findIndex(({ event }) => event?.type === 'gap'),
    );
    for (const { id = position } of untold) {
      const resumed = await SseClient.open(`${url}/${path}`, { lastEventId: id });
      const events = await resumed.until(({ data }) => data === 'news 9');
      expect(events.map(({ type }) => type)).toContain('gap');
    }
  });

  it('is what a client gets after the app was started anew, with all that was published since', async () => {
    const before = await start();
    const client = await SseClient.open(`${before.url}/events`, { reconnect: 0 });
    await publish(before.hub, 3);
    await client.take(3);
    await before.close();
    const after = await startSseApp({ routes: { events: news }, port: before.port });
    const e = await publish(after.hub, 2);
    const [gap, ...events] = await client.take(3);
    const requested = client.events[2]!.id;
    expect(JSON.parse(gap!.data)).toEqual({
      channel: 'news',
      reason: 'epoch',
      requested,
      oldest: `${e}-1`,
      latest: `${e}-2`,
    });
    expect(dataOf(events)).toEqual(['news 1', 'news 2']);
  });

  it('is what a client gets whose channel was given back after its ttl', async () => {
    const { hub, url } = await start({ ttl: 20 });
    const e = await publish(hub, 2);
    await eventually(() => hub.stats().channels === 0);
    const client = await SseClient.open(`${url}/events`, { lastEventId: `${e}-2` });
    const gap = JSON.parse((await client.next()).data) as Record<string, unknown>;
    expect(gap).toMatchObject({ reason: 'epoch', requested: `${e}-2`, oldest: null });
    expect(gap.latest).not.toContain(e);
  });
});

/** Publishes, and lets the event loop have its turn. */
async function publishInATurn(hub: SseHub, data: string): Promise<void> {
  await hub.publish('news', { type: 'big', data });
  await new Promise((resolve) => setImmediate(resolve));
}
