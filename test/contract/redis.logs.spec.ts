import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { createClient } from 'redis';
import { redisBackplane, type RedisBackplaneOptions } from '../../src/sse/backplanes/redis/index.js';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import type { Position } from '../../src/sse/protocol/position.js';
import type { ChannelOptions, SseLimits } from '../../src/sse/sse.options.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { settingsOf, stored } from './backplane.contract.js';
import { Listener } from './listener.js';

describeWith('redis-server', 'logs in Redis', (path) => {
  let server: RedisServer;
  let backplane: SseBackplane;
  let channel: string;

  beforeAll(async () => {
    server = await RedisServer.start(path);
    Logger.overrideLogger(false);
  });
  afterAll(async () => {
    Logger.overrideLogger(true);
    await server.dispose();
  });

  const instance = async (
    options: RedisBackplaneOptions = {},
    limits: SseLimits = {},
  ): Promise<SseBackplane> => {
    const where = options.client ? {} : { connection: { url: server.url } };
    const made = await redisBackplane({ ...where, ...options })(moduleSettings({ limits }).limits);
    whenTestEnds(() => made.backplane.close());
    // Its beats would be among the calls that are counted.
    await made.cluster!.close();
    return made.backplane;
  };

  beforeEach(async () => {
    channel = `}it's/{${randomUUID()}}%`;
    backplane = await instance();
  });

  const append = (data: unknown = 'x', options?: ChannelOptions, by = backplane): Promise<Position> =>
    by.append(channel, settingsOf(options), stored(data));
  const follow = (options?: ChannelOptions, by = backplane): Promise<Listener> =>
    new Listener(by, channel, settingsOf(options)).ready;
  const kept = async (): Promise<string[]> =>
    (await backplane.read(channel, settingsOf(), { limit: Infinity })).entries.map(
      ({ event }) => event.data!,
    );
  const keys = async (): Promise<string[]> => {
    const id = /[\w-]{36}/.exec(channel)![0];
    return ((await server.command('KEYS', `*${id}*`)) as string[]).sort();
  };
  const callsOf = async (...commands: string[]): Promise<number> => {
    const stats = String(await server.command('INFO', 'commandstats'));
    return commands
      .map((command) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0))
      .reduce((a, b) => a + b);
  };

  it('lie under one hash tag, whatever a channel is called', async () => {
    await backplane.append(channel, settingsOf(), stored('x'), 'order-1');
    const names = await keys();
    const parts = names.map((name) => /^sse:2:\{([^{}]+)\}(.*)$/.exec(name)!.slice(1));
    expect(parts.map(([, what]) => what)).toEqual([':id:order-1', ':log', ':state']);
    expect(new Set(parts.map(([tag]) => tag)).size).toBe(1);
  });

  it('are read once for all who come at the same time', async () => {
    for (let n = 0; n < 50; n++) await append(n);
    const other = await instance();
    const before = await callsOf('xrange', 'xrevrange', 'evalsha');
    const all = await Promise.all(Array.from({ length: 1_000 }, () => follow({}, other)));
    expect(new Set(all.map(({ log }) => log)).size).toBe(1);
    expect(all[999]!.log.size).toBe(50);
    // One script, with a look at the oldest entry and one range.
    expect((await callsOf('xrange', 'xrevrange', 'evalsha')) - before).toBe(3);
  });

  it('are read whole, however long', async () => {
    const options = { history: { count: 5_000 } };
    const offsets = await Promise.all(Array.from({ length: 2_500 }, (_, n) => append(n, options)));
    const listener = await follow(options, await instance());
    expect(listener.offsets).toEqual(offsets.map(({ offset }) => offset));
  });

  describe('with an entry of somebody else', () => {
    const intrude =
      (...idAndFields: string[]) =>
      async (): Promise<unknown> =>
        server.command(
          'XADD',
          (await keys()).find((key) => key.endsWith(':log'))!,
          ...idAndFields,
        );

    it.each([
      ['of a later id', intrude('*', 'foo', 'bar')],
      ['of our fields', intrude('1-1', 'p', 'x 0 y', 'a', '1', 'n', '1', 'e', 'nothing')],
    ])('%s go on, and leave it out', async (_what, write) => {
      const other = await instance();
      const listener = await follow({}, other);
      const positions = [await append('a')];
      await write();
      positions.push(await append('b'), await append('c'));
      expect(await kept()).toEqual(['a', 'b', 'c']);
      const offsets = positions.map(({ offset }) => offset);
      await eventually(() => listener.log.head.offset === offsets[2]);
      expect(listener.offsets).toEqual(offsets);
      expect((await follow({}, await instance())).offsets).toEqual(offsets);
    });

    it('in place of a notice read the log', async () => {
      const listener = await follow();
      const id = /[\w-]{36}/.exec(channel)![0];
      const [notices] = (await server.command('PUBSUB', 'CHANNELS', `*${id}*`)) as string[];
      for (const message of ['', 'nonsense', 'entry x', `entry 1 mark 0 birth 5\nnothing`])
        await server.command('PUBLISH', notices!, message);
      const { offset } = await append();
      expect(listener.told).toEqual([offset]);
    });
  });

  it('that are not there are read and followed without a key', async () => {
    const before = await server.command('DBSIZE');
    for (let n = 0; n < 100; n++) {
      await backplane.read(`${channel}${n}`, settingsOf(), { limit: 1 });
      (await new Listener(backplane, `${channel}${n}`, settingsOf()).ready).stop();
      await backplane.purge(`${channel}${n}`);
    }
    expect(await server.command('DBSIZE')).toBe(before);
  });

  describe('that nobody publishes to', () => {
    it('expire after their ttl, and are other logs when they come again', async () => {
      const { mark } = await append('x', { ttl: 50 });
      await eventually(async () => (await keys()).length === 0);
      expect((await backplane.read(channel, settingsOf(), { limit: 1 })).entries).toEqual([]);
      const again = await append('x', { ttl: 50 });
      expect(again).toEqual({ offset: 1, mark: expect.not.stringMatching(mark) });
    });

    it('do not expire while they are followed', async () => {
      const options = { ttl: 2_000 };
      const { offset } = await append('x', options);
      const listener = await follow(options);
      const until = Date.now() + 2 * options.ttl;
      await eventually(async () => Date.now() > until && (await keys()).length > 0);
      expect((await append('y', options)).offset).toBe(offset + 1);
      expect(listener.told).toEqual([offset + 1]);
      listener.stop();
      await eventually(async () => (await keys()).length === 0);
    });

    it('never expire where they are kept for ever', async () => {
      await append('x', { ttl: Infinity });
      for (const key of await keys()) expect(await server.command('PTTL', key)).toBe(-1);
    });

    it('give up what is too old, here and there', async () => {
      const options = { history: { age: 100 } };
      const position = await append('x', options);
      const listener = await follow(options);
      await eventually(() => listener.log.size === 0);
      expect(listener.log).toMatchObject({ floor: position, head: position });
      await eventually(async () => (await kept()).length === 0);
      const range = await backplane.read(channel, settingsOf(options), { limit: 1 });
      expect(range).toMatchObject({ floor: position, head: position });
    });
  });

  describe('that are trimmed by one append in several', () => {
    const COUNT = 32;
    const options = { history: { count: COUNT } };
    /** Events of which the oldest are beyond the limit, and still there. */
    const overfilled = async (): Promise<Position[]> => {
      const positions: Position[] = [];
      for (let n = 0; n < COUNT + 3; n++) positions.push(await append(n, options));
      expect(await size()).toBe(COUNT + 3);
      return positions;
    };
    const nameOf = async (what: string): Promise<string> =>
      (await keys()).find((key) => key.endsWith(`:${what}`))!;
    const size = async (): Promise<unknown> => server.command('XLEN', await nameOf('log'));
    const bytes = async (): Promise<unknown> => server.command('HGET', await nameOf('state'), 'bytes');
    const resumed = async (after: Position, by = backplane) => {
      const { floor, entries, missing } = await by.read(channel, settingsOf(options), {
        after,
        limit: Infinity,
      });
      return { floor, missing, offsets: entries.map(({ offset }) => offset) };
    };
    const numbersFrom = (from: number, to = COUNT + 3): number[] =>
      Array.from({ length: to - from + 1 }, (_, n) => from + n);

    it.each([
      { what: 'an event that is beyond the limit', at: 1, missing: 'evicted' },
      { what: 'the last one that is', at: 2, missing: undefined },
    ] as const)(
      'do not serve what is beyond their limits to those who had $what',
      async ({ at, missing }) => {
        const positions = await overfilled();
        expect(await resumed(positions[at]!)).toEqual({
          floor: positions[2],
          missing,
          offsets: numbersFrom(4),
        });
        expect(await size()).toBe(COUNT);
      },
    );

    it('nor to those who follow them', async () => {
      const positions = await overfilled();
      const { log } = await follow(options, await instance());
      expect([log.floor, log.size]).toEqual([positions[2], COUNT]);
      expect(await size()).toBe(COUNT);
    });

    it.each([
      { what: 'count', history: { count: 40 } },
      { what: 'bytes', history: { count: 1_000, bytes: 20_000 } },
      { what: 'count, where it is small', history: { count: 3 } },
    ])('have the same floor wherever they are read: $what', async ({ history }) => {
      await append('first', { history });
      // This copy trims itself with each event that it is told of.
      const { log } = await follow({ history });
      for (let n = 0; n < 100; n++) {
        await append('x'.repeat((n * 397) % 1_500), { history });
        if (n % 7 > 0) continue;
        const range = await backplane.read(channel, settingsOf({ history }), { limit: Infinity });
        const offsets = Array.from(log.entriesAfter(log.floor.offset), ({ offset }) => offset);
        expect(range.entries.map(({ offset }) => offset)).toEqual(offsets);
        expect(range.floor).toEqual(log.floor);
      }
      expect(log.floor.offset).toBeGreaterThan(0);
    });

    it.each([
      { held: 'entries', history: { count: 24 }, limit: 24 },
      { held: 'bytes', history: { count: 1_000, bytes: 40_000 }, limit: 40_000 },
    ] as const)('hold at most an eighth more than their limits: $held', async ({ history, held, limit }) => {
      let most = 0;
      for (let n = 0; n < 60; n++) {
        await append('x'.repeat(2_000), { history });
        most = Math.max(most, Number(await (held === 'bytes' ? bytes() : size())));
      }
      expect(most).toBeGreaterThan(limit);
      expect(most).toBeLessThanOrEqual((limit * 9) / 8);
    });

    it.each([
      { what: 'count', history: { count: 16 }, left: 16 },
      { what: 'bytes', history: { count: 40, bytes: 200 }, left: 1 },
      { what: 'age', history: { count: 40, age: 500 }, left: 1 },
    ])('have other limits from the next append on: $what', async ({ history, left }) => {
      for (let n = 0; n < 20; n++) await append('x'.repeat(100), { history: { count: 40 } });
      const old = performance.now() + 500;
      await eventually(() => performance.now() > old);
      await append('x'.repeat(100), { history });
      expect(await kept()).toHaveLength(left);
    });

    it('have no more than another application has left in them', async () => {
      const positions = await overfilled();
      await server.command('XTRIM', await nameOf('log'), 'MAXLEN', '10');
      const left = { floor: positions[24], offsets: numbersFrom(26) };
      expect(await resumed(positions[23]!)).toEqual({ ...left, missing: 'evicted' });
      expect(await resumed(positions[24]!)).toEqual({ ...left, missing: undefined });
    });

    it('are the same after a restart of Redis', async () => {
      const own = await RedisServer.start(path, { persistent: true });
      whenTestEnds(() => own.dispose());
      const connection = { url: own.url };
      const by = await instance({ connection });
      const positions: Position[] = [];
      for (let n = 0; n < COUNT + 3; n++) positions.push(await append(n, options, by));
      await own.stop();
      await own.start();
      const expected = { floor: positions[2], offsets: numbersFrom(4) };
      const after = await instance({ connection });
      expect(await resumed(positions[1]!, after)).toEqual({ ...expected, missing: 'evicted' });
      expect(await resumed(positions[2]!, after)).toEqual({ ...expected, missing: undefined });
    });

    it('go on from what version 0.2.0 has stored', async () => {
      for (let n = 0; n < 10; n++) await append(n, { history: { count: 10 } });
      await server.command('HDEL', await nameOf('state'), 'limits', 'kept');
      expect((await resumed({ offset: -1, mark: '' })).offsets).toEqual(numbersFrom(1, 10));
      for (let n = 0; n < 10; n++) await append(n, { history: { count: 10 } });
      expect((await resumed({ offset: -1, mark: '' })).offsets).toEqual(numbersFrom(11, 20));
    });
  });

  describe('whose expiry is put off by one append in several', () => {
    const expiries = async (): Promise<number[]> =>
      Promise.all((await keys()).map(async (key) => Number(await server.command('PTTL', key))));

    it('are there for at least their ttl after each', async () => {
      const ttl = 2_000;
      const began = performance.now();
      const before = await callsOf('pexpire');
      let appends = 0;
      // The time of several extensions, of an eighth of the ttl each.
      while (performance.now() - began < ttl) {
        const at = Date.now();
        await append(appends++, { ttl });
        const left = await expiries();
        expect(left).toHaveLength(2);
        // Clocks count whole milliseconds.
        expect(Math.min(...left)).toBeGreaterThanOrEqual(ttl - (Date.now() - at) - 1);
        expect(Math.max(...left)).toBeLessThanOrEqual(ttl + ttl / 8);
      }
      const calls = (await callsOf('pexpire')) - before;
      expect(calls).toBeGreaterThan(2);
      expect(calls).toBeLessThan(appends);
    });

    it.each([
      { from: 600_000, to: 60_000 },
      { from: 60_000, to: 600_000 },
      { from: Infinity, to: 60_000 },
      { from: 60_000, to: Infinity },
    ])('have another ttl from the next append on: $to after $from', async ({ from, to }) => {
      await append('x', { ttl: from });
      await append('x', { ttl: to });
      for (const left of await expiries()) {
        expect(left).toBeGreaterThan(to === Infinity ? -2 : to - 10_000);
        expect(left).toBeLessThan(to === Infinity ? 0 : to + to / 8 + 1);
      }
    });

    it.each([
      { what: 'purge()', remove: () => backplane.purge(channel) },
      { what: 'another application', remove: async () => server.command('DEL', (await keys())[0]!) },
    ])('have one also after $what has emptied them', async ({ remove }) => {
      await append();
      await remove();
      expect(await keys()).toHaveLength(1);
      // Puts off the expiry of what is there.
      (await follow({}, await instance())).stop();
      await append();
      expect(await keys()).toHaveLength(2);
      for (const left of await expiries()) expect(left).toBeGreaterThan(0);
    });
  });

  it('are found again when Redis has forgotten the scripts', async () => {
    await append('a');
    await server.command('SCRIPT', 'FLUSH');
    await append('b');
    expect(await kept()).toEqual(['a', 'b']);
  });

  it('are let go of here when the last one stops, and the subscription with them', async () => {
    const listeners = [await follow(), await follow()];
    const subscriptions = async (): Promise<unknown> => server.command('PUBSUB', 'CHANNELS', 'sse:2:*{*');
    expect(await subscriptions()).toHaveLength(1);
    for (const listener of listeners) listener.stop();
    expect(backplane.stats()).toMatchObject({ channels: 0, historyEvents: 0, historyBytes: 0 });
    await eventually(async () => ((await subscriptions()) as string[]).length === 0);
  });

  it('have local copies within limits.channels and limits.historyBytes', async () => {
    const one = await instance({}, { channels: 2, historyBytes: 1_000 });
    const listeners: Listener[] = [];
    const big = settingsOf({ history: { count: 100 } });
    for (const name of ['1', '2']) listeners.push(await new Listener(one, channel + name, big).ready);
    await expect(follow({}, one)).rejects.toMatchObject({ code: 'HUB_FULL' });
    for (const name of ['1', '2'])
      for (let n = 0; n < 9; n++) await one.append(channel + name, big, stored('x'.repeat(90)));
    expect(one.stats().historyBytes).toBeLessThanOrEqual(1_000);
    expect(listeners.map(({ log }) => log.size)).toEqual([1, 9]);
    expect((await backplane.read(`${channel}1`, big, { limit: Infinity })).entries).toHaveLength(9);
  });

  it('are shared with the model of a client, which is left alone', async () => {
    const client = createClient({ url: server.url, database: 3, scripts: {}, RESP: 2 });
    const one = await instance({ client });
    const listener = await follow({}, one);
    const { offset } = await append('x', {}, one);
    expect(listener.told).toEqual([offset]);
    expect(await kept()).toEqual([]);
    await one.close();
    expect(client.isOpen).toBe(false);
    await client.connect();
    expect(await client.keys('sse:2:{*')).toHaveLength(2);
    client.destroy();
  });
});
