import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EventSource } from 'eventsource';
import { eventually } from '../../support/eventually.js';
import { timers } from '../../support/fake-timers.js';
import { listen as open } from '../../support/open-stream.js';
import { bootApp, get, post, type BootedApp } from './booted-app.js';

let booted: BootedApp;

beforeEach(async () => {
  // Only what the app's own timers use: sockets go on as they are. So nothing ticks unless a test says so.
  jest.useFakeTimers(timers);
  booted = await bootApp();
});

afterEach(async () => {
  jest.useRealTimers();
  await booted.app.close();
});

const listen = () => open(`${booted.url}/broadcast/events`);

const send = (event: unknown) => post(`${booted.url}/broadcast/events`, event);
const clients = async () =>
  (await get(`${booted.url}/broadcast/clients`)).body as {
    count: number;
    clients: { id: string; connectedAt: string }[];
  };

describe('POST /broadcast/events', () => {
  it('sends to all who are connected, with exactly that type, id and data', async () => {
    const [one, two] = [await listen(), await listen()];
    const event = { type: 'deploy', id: 'build 7/u', data: { ok: true, list: [1, null] } };

    expect(await send(event)).toMatchObject({ status: 202, body: { clients: 2 } });
    for (const client of [one, two]) {
      expect(await client.next()).toEqual({ ...event, text: '{"ok":true,"list":[1,null]}' });
    }
  });

  it('sends no id line and no type when none is given', async () => {
    const client = await listen();
    await send({ data: 'just this' });
    expect(await client.next()).toMatchObject({ type: 'message', id: undefined, text: 'just this' });
  });

  it('sends data of any kind', async () => {
    const cases = [
      ['a string as it is', 'two\nlines', 'two\nlines'],
      ['an empty string', '', ''],
      ['null', null, 'null'],
      ['a number', 1.5, '1.5'],
      ['false', false, 'false'],
      ['a list', ['a'], '["a"]'],
    ];
    for (const [_, data, expected] of cases) {
      const client = await listen();
      expect((await send({ data })).status).toBe(202);
      expect((await client.next()).text).toBe(expected);
    }
  });

  it('sends a retry', async () => {
    const client = await listen();
    await send({ data: 'x', retry: 1234 });
    await client.next();
    expect(client.retry).toBe(1234);
  });

  it('reaches an EventSource by the type it listens for', async () => {
    const source = new EventSource(`${booted.url}/broadcast/events`);
    await new Promise((resolve) => source.addEventListener('open', resolve, { once: true }));
    const arrived = new Promise<MessageEvent>((resolve) => source.addEventListener('note', resolve));
    await send({ type: 'note', id: '42', data: 'hello' });
    expect(await arrived).toMatchObject({ type: 'note', lastEventId: '42', data: 'hello' });
    source.close();
  });

  it('counts nobody when nobody listens', async () => {
    expect(await send({ data: 'x' })).toMatchObject({ status: 202, body: { clients: 0 } });
  });

  it('refuses ill-formed events with a 400 that says so, and sends nothing', async () => {
    const cases = [
      ['no data', {}, /data is missing/],
      ['a list', [1], /must be a JSON object/],
      ['a field that does not exist', { data: 1, evnet: 'x' }, /no field "evnet"/],
      ['a type that is no string', { data: 1, type: 5 }, /type must be a string/],
      ['an id that is no string', { data: 1, id: {} }, /id must be a string/],
      ['a retry that is no number', { data: 1, retry: '5' }, /retry must be a number/],
      ['a retry that is no whole number', { data: 1, retry: 1000.5 }, /retry/],
      ['a negative retry', { data: 1, retry: -1 }, /retry/],
      ['a retry with which all come at once', { data: 1, retry: 0 }, /retry must be from 500/],
      ['a retry with which nobody comes back', { data: 1, retry: 1e11 }, /to 60000 milliseconds/],
      ['a type of two lines', { data: 1, type: 'a\ndata: b' }, /type/],
      ['an id of two lines', { data: 1, id: 'a\rb' }, /id/],
      ['an id with NUL', { data: 1, id: 'a\0b' }, /id/],
      ['a reserved type', { data: 1, type: 'gap' }, /gap/],
      ['something that is not JSON', '{"data":', /JSON/],
      ['JSON that is no object', '"text"', /JSON/],
    ] as const;
    for (const [_, event, message] of cases) {
      const client = await listen();
      const { status, body } = await send(event);
      expect({ status, body }).toMatchObject({
        status: 400,
        body: { message: expect.stringMatching(message) },
      });

      await send({ data: 'the next' });
      expect((await client.next()).text).toBe('the next');
    }
  });

  it('refuses a body that is no JSON by its type', async () => {
    const headers = { 'Content-Type': 'text/plain' };
    expect(await post(`${booted.url}/broadcast/events`, 'hello', headers)).toMatchObject({
      status: 400,
      body: { message: expect.stringMatching(/JSON/) },
    });
  });

  it.each([
    ['an event that the hub finds too large', 65 * 1024],
    ['a body that is too large to read', 200 * 1024],
  ])('refuses %s with a 413 in JSON', async (_, size) => {
    const client = await listen();
    const { status, body } = await send({ data: 'x'.repeat(size) });
    expect({ status, body }).toMatchObject({
      status: 413,
      body: { statusCode: 413, message: expect.any(String) },
    });

    await send({ data: 'the next' });
    expect((await client.next()).text).toBe('the next');
  });
});

describe('GET /broadcast/clients', () => {
  it('lists who is connected, since when, and nothing else', async () => {
    expect(await clients()).toEqual({ count: 0, clients: [] });
    await listen();
    await listen();
    const { count, clients: list } = await clients();
    expect(count).toBe(2);
    for (const client of list) {
      expect(client).toEqual({ id: expect.any(String), connectedAt: expect.any(String) });
      expect(new Date(client.connectedAt).toISOString()).toBe(client.connectedAt);
    }
    expect(new Set(list.map(({ id }) => id)).size).toBe(2);
  });

  it('a closed client is gone at once', async () => {
    const [one] = [await listen(), await listen()];
    one.close();
    // No timer runs in this test, so it is the closed socket that takes the client off, not a heartbeat.
    await eventually(async () => (await clients()).count === 1);
    expect(await send({ data: 'x' })).toMatchObject({ body: { clients: 1 } });
  });
});

describe('ticks', () => {
  it('come every 2 s, the same to everybody, from one timer however many listen', async () => {
    const all = [await listen(), await listen(), await listen()];
    const before = booted.hub.stats().published;

    await jest.advanceTimersByTimeAsync(6_000);
    const ticks = await Promise.all(all.map((client) => client.take(3)));
    expect(booted.hub.stats().published - before).toBe(3);
    expect(ticks[1]).toEqual(ticks[0]);
    expect(ticks[2]).toEqual(ticks[0]);
    for (const tick of ticks[0]!) expect(tick).toMatchObject({ type: 'tick', id: undefined });
    const [first, second, third] = ticks[0]!.map(({ data }) => Date.parse(data));
    expect([second! - first!, third! - second!]).toEqual([2_000, 2_000]);
  });

  it('stop when the last client has gone, and start again with the next one', async () => {
    const [one, two] = [await listen(), await listen()];
    one.close();
    two.close();
    await eventually(async () => (await clients()).count === 0);
    const before = booted.hub.stats().published;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(booted.hub.stats().published).toBe(before);

    const three = await listen();
    await jest.advanceTimersByTimeAsync(2_000);
    expect(await three.next()).toMatchObject({ type: 'tick' });
  });
});
