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
