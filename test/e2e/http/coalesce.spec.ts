import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { filter, merge, Subject, tap } from 'rxjs';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { controllerOf, startSseApp, untilConnections } from '../../support/sse-app.js';
import type { Route, SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { big, numberOf, numbers, ServerSockets } from './stalled.js';
import { Wire } from './wire.js';

/** A window that ends in no test. */
const ENDLESS = 1_000_000_000;
const SHORT = 40;

interface StartedApp extends SseApp {
  /** Publishes, or emits, the next event, gives its number when the turn is over. */
  send(text?: string): Promise<number>;
  /** Ends all streams: the channel, and the plain Observable. */
  complete(): Promise<void>;
}

const paths = ['direct', 'piped', 'several', 'plain', 'merged'];
/** A path for each way in which what waits is fed: by the log, and by an Observable. */
const feeds = ['direct', 'merged'];
const ofTheHub = ['direct', 'piped', 'several'];

/** An app whose routes gather what they write; those below `at-once` do not. */
async function start(
  coalesce: number,
  sse: SseModuleOptions = {},
  queuedBytes?: number,
): Promise<StartedApp> {
  const plain = new Subject<{ data: string }>();
  const routes: Record<string, Route> = {
    direct: (hub) => hub.stream('news'),
    piped: (hub) => hub.stream('news').pipe(filter(() => true)),
    several: (hub) => hub.stream(['news', 'other']),
    plain: () => plain,
    merged: (hub) => merge(plain.pipe(filter(() => false)), hub.stream('news')),
  };
  const atOnce = Object.fromEntries(Object.entries(routes).map(([path, each]) => [`at-once/${path}`, each]));
  const app = await startSseApp({
    sse: { heartbeat: 0, history: { count: 10_000, bytes: Infinity }, ...sse },
    routes,
    routeOptions: { coalesce, ...(queuedBytes && { queuedBytes }) },
    controllers: [controllerOf(atOnce)],
  });
  let newest = 0;
  return {
    ...app,
    send: async (text = '') => {
      newest++;
      plain.next({ data: `${newest} ${text}` });
      await app.hub.publish('news', { data: `${newest} ${text}` });
      await nextTurn(); // so that it is written, if it is to be
      return newest;
    },
    complete: async () => {
      for (const channel of ['news', 'other']) await app.hub.complete(channel);
      plain.complete();
    },
  };
}

/** Clients that had their first event, so that a window has begun for each. */
async function openWindows(started: StartedApp, path: string, count: number): Promise<TestStream[]> {
  const clients = numbers(1, count).map(() => listen(`${started.url}/${path}`));
  const opened = await Promise.all(clients);
  const newest = await started.send();
  for (const client of opened) await client.until((event) => numberOf(event) === newest);
  return opened;
}

const openWindow = async (started: StartedApp, path: string): Promise<TestStream> =>
  (await openWindows(started, path, 1))[0]!;

/** What was written at once each: the chunks of a response. */
function writesOf({ text }: Wire): string[] {
  let body = Buffer.from(text).subarray(text.indexOf('\r\n\r\n') + 4);
  const writes: string[] = [];
  while (body.includes('\r\n')) {
    const from = body.indexOf('\r\n') + 2;
    const to = from + Number.parseInt(body.toString('latin1'), 16);
    writes.push(body.subarray(from, to).toString());
    body = body.subarray(to + 2);
  }
  return writes;
}

const eventsIn = (text: string): number[] =>
  [...text.matchAll(/^data: (\d+) /gm)].map(([, number]) => Number(number));

/** Opens a stream, sends so many events, each in a turn of its own, and gives what was written. */
async function writesFor(started: StartedApp, path: string, count: number): Promise<string[]> {
  const wire = await Wire.get(`${started.url}/${path}`);
  await wire.until('\r\n\r\n');
  for (let i = 0; i < count; i++) await started.send();
  await wire.until(new RegExp(`data: ${count} \\n\\n`));
  return writesOf(wire).filter((text) => eventsIn(text).length > 0);
}

describe.each(feeds)('A route that gathers what it writes (/%s)', (path) => {
  it('sends an event at once where nothing was written for a while', async () => {
    const started = await start(ENDLESS);
    const client = await listen(`${started.url}/${path}`);
    const newest = await started.send();
    expect(numberOf(await client.next())).toBe(newest);
  });

  it('holds back what comes after it', async () => {
    const started = await start(ENDLESS);
    const client = await openWindow(started, path);
    const other = await listen(`${started.url}/at-once/${path}`);
    await started.send();
    await started.send();
    await other.take(2);
    expect(client.events.map(numberOf)).toEqual([1]);
  });

  it('goes on so, window after window', async () => {
    const started = await start(5);
    const client = await openWindow(started, path);
    for (let i = 0; i < 10; i++) {
      const last = [await started.send(), await started.send()].at(-1);
      await client.until((event) => numberOf(event) === last);
    }
    expect(client.events.map(numberOf)).toEqual(numbers(1, 21));
  });

  it('writes more seldom than there are events', async () => {
    const started = await start(SHORT);
    const writes = await writesFor(started, path, 100);
    expect(writes.flatMap(eventsIn)).toEqual(numbers(1, 100));
    expect(writes.length).toBeLessThan(50);
    expect(eventsIn(writes[0]!)).toEqual([1]);
  });

  it('writes each event by itself where there is no window', async () => {
    const started = await start(SHORT);
    const writes = await writesFor(started, `at-once/${path}`, 100);
    expect(writes.map(eventsIn)).toEqual(numbers(1, 100).map((n) => [n]));
  });

  it('sends what waits when its streams complete, and then the end', async () => {
    const started = await start(SHORT);
    const client = await openWindow(started, path);
    await started.send();
    await started.send();
    await started.complete();
    expect((await client.rest()).map(numberOf)).toEqual([2, 3]);
    expect(await client.ended()).toBe('ended');
  });

  it('sends what waits when the client is disconnected', async () => {
    const started = await start(ENDLESS);
    const client = await openWindow(started, path);
    await started.send();
    await started.send();
    await started.hub.disconnect({});
    expect((await client.rest()).map(numberOf)).toEqual([2, 3]);
  });

  it('sends what waits when the application closes', async () => {
    const started = await start(ENDLESS);
    const client = await openWindow(started, path);
    await started.send();
    await started.send();
    await started.close();
    expect((await client.rest()).map(numberOf)).toEqual([2, 3]);
  });

  it('does not hold back more than one write takes', async () => {
    const started = await start(ENDLESS);
    const client = await openWindow(started, path);
    for (let i = 0; i < 10; i++) await started.send('x'.repeat(70_000));
    expect((await client.take(10)).map(numberOf)).toEqual(numbers(2, 11));
  });

  it('leaves no timers behind when the clients go', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const started = await start(ENDLESS);
    const before = timers();
    const clients = await openWindows(started, path, 60);
    expect(timers()).toBeGreaterThan(before + 40);
    for (const client of clients) client.close();
    await untilConnections(started.hub, 0);
    expect(timers()).toBeLessThan(before + 20);
  });
});

it.each(paths)(
  'all that a route holds back is sent when the window is over, in order (/%s)',
  async (path) => {
    const started = await start(SHORT);
    const client = await openWindow(started, path);
    for (let i = 0; i < 50; i++) await started.send();
    expect((await client.take(50)).map(numberOf)).toEqual(numbers(2, 51));
  },
);

describe.each(ofTheHub)('A client of a route that gathers what it writes (/%s)', (path) => {
  it('gets all that it missed, however long the window is', async () => {
    const started = await start(ENDLESS, { replay: 'all' });
    for (let i = 0; i < 10; i++) await started.send('x'.repeat(70_000));
    const client = await listen(`${started.url}/${path}`);
    expect((await client.take(10)).map(numberOf)).toEqual(numbers(1, 10));
  });

  it('has the position of what it was sent, not of what waits', async () => {
    const started = await start(ENDLESS);
    const client = await openWindow(started, path);
    await started.send();
    await started.send();
    const { lastEventId } = client;
    client.close();
    const again = await listen(`${started.url}/at-once/${path}`, { lastEventId });
    expect((await again.take(2)).map(numberOf)).toEqual([2, 3]);
  });
});

describe('A window after a write', () => {
  it('does not let more wait for a client that does not read than queuedBytes', async () => {
    const size = big(0).data.length;
    const started = await start(1, {}, 4 * size);
    const sockets = new ServerSockets(started);
    const client = await listen(`${started.url}/plain`);
    client.pause();
    const socket = sockets.of(client);
    let most = 0;
    while (!socket.destroyed) {
      await started.send('x'.repeat(size / 5));
      most = Math.max(most, socket.writableLength);
    }
    expect(most).toBeGreaterThan(size);
    expect(most).toBeLessThanOrEqual(6 * size);
  });

  it('that ends while other clients get their turn leaves none without the events after a large one', async () => {
    const WINDOW = 20;
    let heldFrom: number | undefined;
    const { hub, url } = await startSseApp({
      sse: { heartbeat: 0 },
      routes: {
        news: (hub) =>
          hub.stream('news').pipe(
            tap(({ type }) => {
              if (type !== 'large') return;
              // The event loop is held for longer than a window and a slice of the run queue.
              heldFrom ??= performance.now();
              while (performance.now() < heldFrom + 2 * WINDOW);
            }),
          ),
      },
      routeOptions: { coalesce: WINDOW },
    });
    const clients = await Promise.all(numbers(1, 20).map(() => listen(`${url}/news`)));
    await hub.publish('news', { data: 'first' });
    await Promise.all(clients.map((client) => client.next()));
    await Promise.all([
      hub.publish('news', { type: 'large', data: 'x'.repeat(70_000) }),
      hub.publish('news', { data: 'last' }),
    ]);
    for (const client of clients) await client.until(({ data }) => data === 'last');
  });

  it('is no reason to take a client for one that lags', async () => {
    const latest = (): string => 'one key for all';
    const started = await start(SHORT, { slow: { latest } });
    const client = await openWindow(started, 'direct');
    for (let i = 0; i < 50; i++) await started.send();
    expect((await client.take(50)).map(numberOf)).toEqual(numbers(2, 51));
  });

  it('leaves a client that lagged once, and reads again, with every event', async () => {
    const latest = (): string => 'one key for all';
    const started = await start(SHORT, { slow: { latest } });
    const sockets = new ServerSockets(started);
    const client = await openWindow(started, 'direct');
    client.pause();
    const { data } = big(0);
    while (!sockets.of(client).writableNeedDrain) await started.send(data);
    const newest = await started.send(data);
    client.read();
    await client.until((event) => numberOf(event) === newest);
    await Promise.all(numbers(1, 20).map((n) => started.hub.publish('news', { data: `${n}` })));
    expect((await client.take(20)).map(numberOf)).toEqual(numbers(1, 20));
  });
});
