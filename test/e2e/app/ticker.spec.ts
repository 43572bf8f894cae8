import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { timers } from '../../support/fake-timers.js';
import { listen as open } from '../../support/open-stream.js';
import { bootApp, get, type BootedApp } from './booted-app.js';

let booted: BootedApp;

beforeEach(async () => {
  // Only what the app's own timers use: sockets go on as they are. So time passes when a test says so.
  jest.useFakeTimers(timers);
  booted = await bootApp();
});

afterEach(async () => {
  jest.useRealTimers();
  await booted.app.close();
});

const listen = (path: string, lastEventId = '') => open(booted.url + path, { lastEventId });

async function leave(...leaving: TestStream[]): Promise<void> {
  const { connections } = booted.hub.stats();
  for (const stream of leaving) stream.close();
  await eventually(() => booted.hub.stats().connections === connections - leaving.length);
}

const published = () => booted.hub.stats().published;

describe('GET /ticker/time', () => {
  it('gives the time every second, the same to everybody', async () => {
    const [one, two] = [await listen('/ticker/time'), await listen('/ticker/time')];
    await jest.advanceTimersByTimeAsync(3_000);
    const [first, second] = [await one.take(3), await two.take(3)];
    expect(second).toEqual(first);
    expect(first.map(({ type }) => type)).toEqual(['server-time', 'server-time', 'server-time']);
    const times = first.map(({ data }) => Date.parse(data));
    expect(times.map((time) => time - times[0]!)).toEqual([0, 1_000, 2_000]);
    expect(new Date(times[0]!).toISOString()).toBe(first[0]!.data);
  });

  it('leaves no timer behind', async () => {
    const idle = jest.getTimerCount();
    const one = await listen('/ticker/time');
    await jest.advanceTimersByTimeAsync(0);
    await one.next();
    const withOne = jest.getTimerCount();
    const two = await listen('/ticker/time');
    await jest.advanceTimersByTimeAsync(1_000);
    await two.next();
    expect(jest.getTimerCount()).toBe(withOne);
    await leave(one, two);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(jest.getTimerCount()).toBeLessThanOrEqual(idle);
  });
});

describe('GET /ticker/events', () => {
  it('counts up for everybody alike, every 2 s, and a new client at once gets the last one', async () => {
    const one = await listen('/ticker/events');
    await jest.advanceTimersByTimeAsync(4_000);
    const first = await one.take(3);
    expect(first.map(({ type }) => type)).toEqual(['message', 'message', 'message']);
    expect(first.map(({ data }) => data.num)).toEqual([1, 2, 3]);
    const times = first.map(({ data }) => Date.parse(data.message));
    expect(times.map((time) => time - times[0]!)).toEqual([0, 2_000, 4_000]);

    const two = await listen('/ticker/events');
    expect(await two.next()).toEqual(first[2]);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(await one.next()).toEqual(await two.next());
    expect(published()).toBe(4);
  });

  it('does not count while nobody listens, and goes on where it stopped', async () => {
    const one = await listen('/ticker/events');
    await jest.advanceTimersByTimeAsync(2_000);
    await one.take(2);
    await leave(one);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(published()).toBe(2);

    const two = await listen('/ticker/events');
    expect((await two.next()).data.num).toBe(2);
    await jest.advanceTimersByTimeAsync(2_000);
    expect((await two.next()).data.num).toBe(3);
  });
});

describe('GET /ticker/quotes', () => {
  const symbols = ['FJORD', 'HERON', 'MAPLE', 'ONYX', 'TIDAL'];

  it('quotes all symbols several times a second', async () => {
    const client = await listen('/ticker/quotes');
    await jest.advanceTimersByTimeAsync(1_000);
    const events = await client.take(20);
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['quote']));
    const quotes = events.map(({ data }) => data);
    for (const quote of quotes) {
      expect(quote).toEqual({
        symbol: expect.any(String),
        price: expect.any(Number),
        at: expect.any(String),
      });
      expect(quote.price).toBeGreaterThan(0);
    }
    for (const symbol of symbols) expect(quotes.filter((quote) => quote.symbol === symbol)).toHaveLength(4);
    expect(new Set(quotes.map(({ at }) => at)).size).toBe(4);
  });

  it('quotes only the symbols asked for, and only those that somebody asks for', async () => {
    const one = await listen('/ticker/quotes?symbols=ONYX,TIDAL');
    const two = await listen('/ticker/quotes?symbols=ONYX');
    const three = await listen('/ticker/quotes?symbols=tidal&symbols=%20ONYX,,ONYX');
    await jest.advanceTimersByTimeAsync(500);
    const quoted = async (client: TestStream, count: number) =>
      (await client.take(count)).map(({ data }) => data.symbol).sort();
    expect(await quoted(one, 4)).toEqual(['ONYX', 'ONYX', 'TIDAL', 'TIDAL']);
    expect(await quoted(two, 2)).toEqual(['ONYX', 'ONYX']);
    expect(await quoted(three, 4)).toEqual(['ONYX', 'ONYX', 'TIDAL', 'TIDAL']);
    expect(published()).toBe(4);
  });

  it('begins with the last half minute, and resumes several channels by one id', async () => {
    const one = await listen('/ticker/quotes?symbols=ONYX,TIDAL');
    await jest.advanceTimersByTimeAsync(1_000);
    const before = await one.take(8);
    const two = await listen('/ticker/quotes?symbols=TIDAL');
    expect((await two.take(4)).map(({ data }) => data)).toEqual(
      before.map(({ data }) => data).filter(({ symbol }) => symbol === 'TIDAL'),
    );
    await leave(one);
    await jest.advanceTimersByTimeAsync(250);

    const resumed = await listen('/ticker/quotes?symbols=ONYX,TIDAL', before.at(-1)!.id);
    await jest.advanceTimersByTimeAsync(250);
    const after = (await resumed.take(3)).map(({ data }) => data.symbol).sort();
    // One of TIDAL that was missed, then one of each.
    expect(after).toEqual(['ONYX', 'TIDAL', 'TIDAL']);
  });

  it('stops when the last client has gone', async () => {
    const [one, two] = [await listen('/ticker/quotes'), await listen('/ticker/quotes?symbols=ONYX')];
    await jest.advanceTimersByTimeAsync(250);
    await leave(one, two);
    const before = published();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(published()).toBe(before);
  });

  it('refuses symbols that it does not know, by a 400 before the stream starts', async () => {
    const cases = [
      '?symbols=NOPE',
      '?symbols=ONYX,NOPE',
      '?symbols=ONYX&symbols=NOPE',
      '?symbols=constructor',
    ];
    for (const query of cases) {
      const { status, body } = await get(`${booted.url}/ticker/quotes${query}`);
      expect({ status, body }).toMatchObject({
        status: 400,
        body: { message: expect.stringMatching(/^symbols: there is no "(NOPE|CONSTRUCTOR)", only FJORD/) },
      });
    }
  });
});
