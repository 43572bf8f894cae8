import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { concatMap, filter, map, merge } from 'rxjs';
import type { SseHub } from '../../../src/sse/index.js';
import type { TestEvent, TestStream } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { startSseApp } from '../../support/sse-app.js';
import type { Route } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { Random } from './random.js';

const CLIENTS = 8;
const EVENTS = 3_000;

interface Numbered {
  readonly channel: string;
  readonly number: number;
}

const numbered = ({ data }: TestEvent): Numbered => data as Numbered;

/** Reads to the last event of each channel, while the connection is cut again and again, by FIN or RST. */
async function readAndCut(
  client: TestStream,
  channels: number,
  random: Random,
): Promise<readonly TestEvent[]> {
  const cut = (): void => (random.next() < 0.5 ? client.drop('fin') : client.drop());
  let open = channels;
  const isLast = ({ type }: TestEvent): boolean => type === 'last' && --open === 0;
  for (;;) {
    await client.until((event) => isLast(event) || random.next() < 0.02);
    if (open === 0) return client.events;
    cut();
    // Some connections do not even get to their first event.
    for (let turns = random.between(-4, 4); turns >= 0; turns--) await turn();
    if (random.next() < 0.3) cut();
  }
}

/** Publishes in bursts, never far ahead of the slowest client, so that each reconnect is amid publishing. */
async function publish(
  hub: SseHub,
  channels: readonly string[],
  progress: () => number,
  random: Random,
  events = EVENTS,
): Promise<void> {
  const numbers = new Map(channels.map((channel) => [channel, 0]));
  const next = (channel: string, type = 'message'): void => {
    const number = numbers.get(channel)! + 1;
    numbers.set(channel, number);
    const padding = 'x'.repeat(random.next() < 0.02 ? 20_000 : 0);
    void hub.publish(channel, { type, data: { channel, number, padding } });
  };
  for (let count = 1; count <= events - channels.length; count++) {
    next(random.oneOf(channels));
    if (random.next() < 0.1) await turn();
    await eventually(() => count - progress() <= 500);
  }
  for (const channel of channels) next(channel, 'last');
}

/** How many events the slowest has. */
const slowest = (clients: readonly TestStream[]) => (): number =>
  Math.min(...clients.map(({ events }) => events.length));

/** Runs clients through the seam, and gives each one's events. */
async function passTheSeam(
  route: Route,
  channels: readonly string[],
  seed: number,
  count = EVENTS,
): Promise<TestEvent[][]> {
  const history = { count: 2 * EVENTS, bytes: Infinity };
  const { hub, url } = await startSseApp({ routes: { events: route }, sse: { history, heartbeat: 5 } });
  const random = new Random(seed);
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => listen(`${url}/events`, { reconnect: 0 })),
  );
  const reading = clients.map((client) =>
    readAndCut(client, channels.length, new Random(random.between(0, 1e9))),
  );
  await publish(hub, channels, slowest(clients), random, count);
  const events = await Promise.all(reading);
  for (const client of clients) expect(client.connected).toBeGreaterThan(count / 150);
  return events as TestEvent[][];
}

/** The numbers of a channel's events, which are to be 1, 2, 3 and so on. */
function expectAll(events: readonly TestEvent[], channels: readonly string[], count = EVENTS): void {
  const received = events.map(numbered);
  expect(received).toHaveLength(count);
  for (const name of channels) {
    const numbers = received.filter(({ channel }) => channel === name).map(({ number }) => number);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  }
}

/** Channels and offsets, as a text. */
const positionsOf = (positions: Iterable<[string, number]>): string =>
  JSON.stringify([...positions].sort(([a], [b]) => (a < b ? -1 : 1)));

const ABC = ['a', 'b=&', 'c/ü'];

describe('where replay meets live, while events are published and connections are cut', () => {
  it('a stream of one channel has every id exactly once, in order', async () => {
    for (const events of await passTheSeam((hub) => hub.stream('a'), ['a'], 1)) {
      expectAll(events, ['a']);
      expect(events.map(({ id }) => Number(id!.split('.')[0]))).toEqual(events.map((_, i) => i + 1));
    }
  });

  it.each<[string, Route, number]>([
    ['several channels', (hub) => hub.stream(ABC), 2],
    ['merged streams', (hub) => merge(...ABC.map((name) => hub.stream(name))), 3],
    [
      'a merge of several, mapped and plain',
      (hub) => merge(hub.stream(ABC.slice(0, 2)).pipe(map((event) => ({ ...event }))), hub.stream(ABC[2]!)),
      4,
    ],
  ])(
    'a stream of %s has every event of each exactly once, and its id says how far each is',
    async (_, route, seed) => {
      for (const events of await passTheSeam(route, ABC, seed)) {
        expectAll(events, ABC);
        const got = new Map(ABC.map((name) => [name, 0]));
        const expected: string[] = [];
        const said: string[] = [];
        for (const event of events) {
          const { channel, number } = numbered(event);
          got.set(channel, number);
          expected.push(positionsOf(got));
          const ids = [...new URLSearchParams(event.id)];
          said.push(positionsOf(ids.map(([name, id]) => [name, Number(id.split('.')[0])])));
        }
        // Once for all events: an expectation costs more than the event that it is about.
        expect(said).toEqual(expected);
      }
    },
  );

  it('an operator that makes events anew, with their ids, loses and doubles none', async () => {
    const route: Route = (hub) =>
      hub.stream('a').pipe(map(({ id, type, data }) => ({ id: id!, type: type!, data: { ...data } })));
    for (const events of await passTheSeam(route, ['a'], 5)) expectAll(events, ['a']);
  });

  it('an operator that hands each event on some turns later loses and doubles none', async () => {
    const later: Route = (hub) => hub.stream('a').pipe(concatMap((event) => turn(event)));
    // Fewer events: each takes a turn of the event loop that all clients share.
    for (const events of await passTheSeam(later, ['a'], 6, 900)) expectAll(events, ['a'], 900);
  });

  it('an operator that hides events loses and doubles none of those it lets through', async () => {
    const even: Route = (hub) => hub.stream('a').pipe(filter(({ data }) => data.number % 2 === 0));
    const history = { count: 2 * EVENTS, bytes: Infinity };
    const { hub, url } = await startSseApp({ routes: { events: even }, sse: { history, heartbeat: 2 } });
    const client = await listen(`${url}/events`, { reconnect: 0 });
    const reading = readAndCut(client, 1, new Random(7));
    await publish(hub, ['a'], () => 2 * client.events.length, new Random(8));
    const numbers = (await reading).map((event) => numbered(event).number);
    expect(numbers).toEqual(Array.from({ length: EVENTS / 2 }, (_, i) => (i + 1) * 2));
  });
});

describe('a long replay', () => {
  it.each<[string, Route]>([
    ['one channel', (hub) => hub.stream('a', { replay: 'all' })],
    ['an operator', (hub) => hub.stream('a', { replay: 'all' }).pipe(map((event) => event))],
  ])('of %s turns into live without a hole, while events are published', async (_, route) => {
    const { hub, url } = await startSseApp({
      routes: { events: route },
      sse: { history: { count: Infinity, bytes: Infinity } },
    });
    let number = 0;
    const publishMore = (count: number): void => {
      for (let i = 0; i < count; i++)
        void hub.publish('a', { data: { number: ++number, padding: 'x'.repeat(100) } });
    };
    publishMore(20_000);
    const clients = await Promise.all([1, 2, 3].map(() => listen(`${url}/events`)));
    const reading = clients.map((client) => client.take(25_000));
    while (number < 25_000) {
      publishMore(50);
      await turn();
    }
    for (const events of await Promise.all(reading)) {
      expect(events.map((event) => numbered(event).number)).toEqual(events.map((__, i) => i + 1));
    }
  });
});

describe('with a history that is too short for those who are away', () => {
  it.each([9, 10, 11])(
    'each event comes once and in order, or a gap is told just before the next (seed %i)',
    async (seed) => {
      const { hub, url } = await startSseApp({
        routes: { events: (hub) => hub.stream('a') },
        sse: { history: { count: 15 }, heartbeat: 5 },
      });
      const random = new Random(seed);
      const clients = await Promise.all(
        Array.from({ length: CLIENTS }, () => listen(`${url}/events`, { reconnect: 0 })),
      );
      const reading = clients.map((client) => readAndCut(client, 1, new Random(random.between(0, 1e9))));
      await publish(hub, ['a'], () => Infinity, random);
      let gaps = 0;
      for (const events of await Promise.all(reading)) {
        let position = 0;
        // Not an expectation for each, which costs more than the event.
        const wrong: unknown[] = [];
        for (const { type, id } of events) {
          const offset = Number(id!.split('.')[0]);
          const isGap = type === 'gap';
          const isRight = isGap ? offset > position : offset === position + 1;
          if (!isRight) wrong.push({ type, id, position });
          if (isGap) gaps++;
          position = offset;
        }
        expect(wrong).toEqual([]);
      }
      expect(gaps).toBeGreaterThan(0);
    },
  );
});
