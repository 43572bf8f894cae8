import { Controller, Inject, Sse as StockSse } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { filter } from 'rxjs';
import type { Observable } from 'rxjs';
import { defineChannel, SseHub, SseModule, type } from '../../../src/sse/index.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { parseLastEventId } from '../../../src/sse/protocol/position.js';
import type { TestEvent, TestStream } from '../../../src/sse/testing/index.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route, SseApp, SseAppOptions } from '../../support/sse-app.js';
import { eventually } from '../../support/eventually.js';
import { listen } from '../../support/open-stream.js';
import { numberOf, numbers, Publisher, ServerSockets } from './stalled.js';

/** How many of the newest events the logs keep. */
const KEPT = 8;
/** How many events are published while a client is stalled. */
const MISSED = 100;

const routes: Record<string, Route> = {
  direct: (hub) => hub.stream('news'),
  piped: (hub) => hub.stream('news').pipe(filter(() => true)),
  several: (hub) => hub.stream(['news', 'other']),
};

@Controller('stock')
class StockController {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @StockSse('direct')
  direct(): Observable<unknown> {
    return this.hub.stream('news');
  }

  @StockSse('piped')
  piped(): Observable<unknown> {
    return this.hub.stream(['news', 'other']).pipe(filter(() => true));
  }
}

const paths = ['direct', 'piped', 'several', 'stock/direct', 'stock/piped'];
/** A path for each decorator, one of them of several channels and with an operator. */
const twoPaths = ['direct', 'stock/piped'];

/** Every second event has the key 1, every fourth the key 2, every eighth 4, …: some keys are much rarer than others. */
const keyOf = (n: number): number => n & -n;
const latest = (event: { readonly data: unknown }): number => keyOf(numberOf(event as { data: string }));

/** The newest number of each key. */
const newestOf = (all: readonly number[]): Map<number, number> =>
  new Map(all.map((n): [number, number] => [keyOf(n), n]));

interface StartedApp extends SseApp {
  readonly publisher: Publisher;
  readonly sockets: ServerSockets;
}

/** An app where clients that lag are given the newest events alone. */
async function start(sse: SseModuleOptions = {}, options: SseAppOptions = {}): Promise<StartedApp> {
  const history = { count: KEPT, bytes: Infinity };
  const app = await startSseApp({
    sse: { history, slow: { latest }, heartbeat: 0, ...sse },
    routes,
    controllers: [StockController],
    ...options,
  });
  return { ...app, publisher: new Publisher(app.hub, 'news'), sockets: new ServerSockets(app) };
}

/** A client that stopped to read until its connection was full, and for many events more. */
async function stalledClient(started: StartedApp, path: string): Promise<TestStream> {
  const client = await listen(`${started.url}/${path}`);
  await eventually(() => client.raw !== '');
  client.pause();
  await started.publisher.fill(started.sockets.of(client));
  await started.publisher.publish(MISSED);
  return client;
}

/** What a client is given until it has the newest event. */
const untilNewest = (client: TestStream, { newest }: Publisher): Promise<TestEvent[]> =>
  client.until((event) => event.type === 'big' && numberOf(event) === newest);

/** A client that stalled, woke and has the newest event, and what it was given. */
async function wokenClient(
  started: StartedApp,
  path: string,
): Promise<{ client: TestStream; events: TestEvent[] }> {
  const client = await stalledClient(started, path);
  client.read();
  return { client, events: await untilNewest(client, started.publisher) };
}

const isIncreasing = (all: readonly number[]): boolean => all.every((n, i) => i === 0 || n > all[i - 1]!);

describe.each([
  ['with history', {}],
  ['without history', { history: 0 }],
] as const)('On a channel %s', (_, sse) => {
  it.each(paths)(
    'a client of /%s that wakes ends with the newest event of every key, in order, and gets far fewer than all',
    async (path) => {
      const started = await start(sse);
      const { events } = await wokenClient(started, path);
      const { newest } = started.publisher;
      const received = events.map(numberOf);
      expect(newestOf(received)).toEqual(newestOf(numbers(1, newest)));
      expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['big'])); // no gap
      expect(isIncreasing(received)).toBe(true);
      expect(received.filter((n) => n > newest - MISSED).length).toBeLessThan(MISSED / 2);
    },
  );

  it.each(twoPaths)('a client of /%s that reads gets every event meanwhile', async (path) => {
    const started = await start(sse);
    const healthy = await listen(`${started.url}/${path}`);
    await eventually(() => healthy.raw !== '');
    const client = await listen(`${started.url}/${path}`);
    client.pause();
    for (let i = 0; i < MISSED; i++) {
      await started.publisher.publish();
      await untilNewest(healthy, started.publisher);
    }
    expect(healthy.events.map(numberOf)).toEqual(numbers(1, started.publisher.newest));
    client.read();
    const received = (await untilNewest(client, started.publisher)).map(numberOf);
    expect(received.length).toBeLessThan(MISSED);
    expect(newestOf(received)).toEqual(newestOf(numbers(1, started.publisher.newest)));
  });
});

/** A log that lets go of nothing. */
const all = { history: { count: 10_000, bytes: Infinity } };

describe('Although the log has everything', () => {
  it.each(twoPaths)('a client of /%s that lags is given the newest events alone', async (path) => {
    const started = await start(all);
    const { events } = await wokenClient(started, path);
    const { newest } = started.publisher;
    const received = events.map(numberOf);
    expect(newestOf(received)).toEqual(newestOf(numbers(1, newest)));
    expect(received.filter((n) => n > newest - MISSED).length).toBeLessThan(MISSED / 2);
  });

  it.each(twoPaths)('a client of /%s that reads again gets every event', async (path) => {
    const started = await start(all);
    const { client } = await wokenClient(started, path);
    for (let first = 1; first <= 100; first += 20) {
      const burst = numbers(first, first + 19);
      await Promise.all(burst.map((n) => started.hub.publish('news', { data: `${n}` })));
      expect((await client.take(20)).map(numberOf)).toEqual(burst);
    }
  });
});

describe('A key whose newest event the log has let go of', () => {
  it.each(twoPaths)('is not left out (/%s)', async (path) => {
    const started = await start();
    const { events } = await wokenClient(started, path);
    const kept = (await started.hub.history('news')).events;
    const oldest = numberOf(kept[0] as { data: string });
    expect(oldest).toBe(started.publisher.newest - KEPT + 1);
    const missing = started.publisher.newest - MISSED;
    const evicted = [...newestOf(numbers(1, started.publisher.newest)).values()].filter(
      (n) => n > missing && n < oldest,
    );
    expect(evicted.length).toBeGreaterThan(0);
    expect(events.map(numberOf)).toEqual(expect.arrayContaining(evicted));
  });

  it('is left out if it was purged', async () => {
    const started = await start();
    const client = await stalledClient(started, 'direct');
    const purged = started.publisher.newest;
    await started.hub.purge('news');
    await started.publisher.publish();
    client.read();
    const received = (await untilNewest(client, started.publisher)).filter(
      ({ type: name }) => name === 'big',
    );
    expect(received.map(numberOf).filter((n) => n > purged - MISSED / 2 && n <= purged)).toEqual([]);
  });
});

describe('A client that was given the newest events alone', () => {
  it.each(twoPaths)('comes back with its position and misses nothing (/%s)', async (path) => {
    const started = await start();
    const { client } = await wokenClient(started, path);
    const { lastEventId } = client;
    client.close();
    const { newest } = started.publisher;
    await started.publisher.publish(3);
    const again = await listen(`${started.url}/${path}`, { lastEventId });
    expect((await again.take(3)).map(numberOf)).toEqual(numbers(newest + 1, newest + 3));
  });

  it.each(twoPaths)('may come back from the middle of them: it goes on from there (/%s)', async (path) => {
    const started = await start(all);
    const { events } = await wokenClient(started, path);
    const { newest } = started.publisher;
    const from = events.at(-3)!;
    const again = await listen(`${started.url}/${path}`, { lastEventId: from.id! });
    const received = await untilNewest(again, started.publisher);
    expect(received.map(numberOf)).toEqual(numbers(numberOf(from) + 1, newest));
  });

  it.each(twoPaths)(
    'is told of what the log no longer has, should it come back too late (/%s)',
    async (path) => {
      const started = await start();
      const { events } = await wokenClient(started, path);
      const { newest } = started.publisher;
      const from = events.findLast((event) => numberOf(event) < newest - KEPT)!;
      const again = await listen(`${started.url}/${path}`, { lastEventId: from.id! });
      const [gap, ...left] = await untilNewest(again, started.publisher);
      expect(gap!.data).toMatchObject({ channel: 'news', reason: 'evicted' });
      expect(left.map(numberOf)).toEqual(numbers(newest - KEPT + 1, newest));
    },
  );
});

describe('A response of several channels', () => {
  it.each(['several', 'stock/piped'])('gives the newest events of each (/%s)', async (path) => {
    const started = await start();
    const other = new Publisher(started.hub, 'other');
    const client = await stalledClient(started, path);
    await other.publish(30);
    const { newest } = started.publisher;
    client.read();
    // How far the client has come in each channel with an event.
    const reached = ({ id }: TestEvent): [ofNews: number, ofOther: number] => {
      const named = parseLastEventId(id);
      if (named.kind !== 'named') throw new Error(`${id} does not name the channels.`);
      const numberIn = (channel: string, { numbers: all }: Publisher): number =>
        all.get(named.positions.get(channel)!.text) ?? 0;
      return [numberIn('news', started.publisher), numberIn('other', other)];
    };
    const events = await client.until((event) => reached(event).join() === [newest, other.newest].join());
    const offsets = events.map(reached);
    for (const channel of [0, 1]) {
      const moved = offsets.map((each) => each[channel]!).filter((n, i, all) => i === 0 || n !== all[i - 1]);
      expect(isIncreasing(moved)).toBe(true);
      const total = [newest, other.newest][channel]!;
      const received = events.filter(
        (_, i) => offsets[i]![channel] !== (offsets[i - 1] ?? [0, 0])[channel], // it is this channel's
      );
      expect(newestOf(received.map(numberOf))).toEqual(newestOf(numbers(1, total)));
      expect(received.length).toBeLessThan(total);
    }
  });
});

describe('The newest events alone', () => {
  const Prices = defineChannel('news', {
    events: { big: type<string>() },
    history: { count: KEPT, bytes: Infinity },
    slow: { latest },
  });

  it.each([
    ['the channel', { slow: 'gap' }, { imports: [SseModule.forFeature([Prices])] }],
    ['the route', { slow: 'gap' }, { routeOptions: { slow: { latest } } }],
  ] as const)('are what a client is given where %s says so', async (_by, sse, options) => {
    const started = await start(sse, options as unknown as SseAppOptions);
    const { events } = await wokenClient(started, 'direct');
    expect(newestOf(events.map(numberOf))).toEqual(newestOf(numbers(1, started.publisher.newest)));
    expect(events.map(({ type: name }) => name)).not.toContain('gap');
  });

  it('are not what a client is given where the route says otherwise', async () => {
    const started = await start({}, { routeOptions: { slow: 'gap' } });
    const { events } = await wokenClient(started, 'direct');
    expect(events.map(({ type: name }) => name)).toContain('gap');
  });

  it('are given to each client by the keys of its own route', async () => {
    const started = await start({}, { routeOptions: { slow: { latest: () => 'one' } } });
    const [own, stock] = [
      await stalledClient(started, 'direct'),
      await stalledClient(started, 'stock/direct'),
    ];
    for (const client of [own, stock]) client.read();
    const { newest } = started.publisher;
    const ofOwn = (await untilNewest(own, started.publisher)).map(numberOf);
    expect(ofOwn.filter((n) => n > newest - MISSED)).toEqual([newest]);
    const ofStock = (await untilNewest(stock, started.publisher)).map(numberOf);
    expect(newestOf(ofStock)).toEqual(newestOf(numbers(ofStock[0]!, newest)));
  });
});
