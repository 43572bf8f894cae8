import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { RedisBackplaneOptions } from '../../src/sse/backplanes/redis/index.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { startSentinel, watchedRedis, type WatchedRedis } from '../support/redis-sentinels.js';
import { RedisServer } from '../support/redis-server.js';
import { channelAt, open } from './redis.instances.js';

const byNodeRedis = ({ name, sentinels }: WatchedRedis): RedisBackplaneOptions => ({
  connection: { name, sentinelRootNodes: [...sentinels] },
});

const byIoRedis = ({ name, sentinels }: WatchedRedis): RedisBackplaneOptions => ({
  client: new Redis({ name, sentinels: [...sentinels], lazyConnect: true }),
});

describeWith('redis-server', 'a Redis that Sentinels watch', (path) => {
  // Of each connection that is lost there is a warning.
  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(true));

  it('is followed to the new primary, with all that the replica had, and publishes wait meanwhile', async () => {
    const redis = await watchedRedis(path);
    const instance = async (options: RedisBackplaneOptions) =>
      (await open({ publishTimeout: 30_000, ...options })).backplane;
    const instances = [await instance(byNodeRedis(redis)), await instance(byIoRedis(redis))] as const;
    const listeners = await Promise.all(instances.map((one) => channelAt(one).listener()));
    await channelAt(instances[0]).appendNumbers(3);
    await channelAt(instances[1]).append(3);
    await eventually(async () => Number(await redis.replica.command('XLEN', 'sse:2:{a}:log')) === 4);
    await redis.primary.stop();
    const positions = await Promise.all(instances.map((one, i) => channelAt(one).append(4 + i)));
    const last = positions.reduce((one, other) => (one.offset > other.offset ? one : other));
    for (const listener of listeners) await eventually(() => listener.log.has(last));
    const kept = await channelAt(await instance(byNodeRedis(redis))).kept();
    expect(kept.slice(0, 4)).toEqual([0, 1, 2, 3]);
    expect(kept.slice(4).sort()).toEqual([4, 5]);
    for (const { seen, told } of listeners) {
      expect(seen.map(({ event }) => Number(event.data))).toEqual(kept);
      expect(told).not.toContain('replaced');
    }
  });

  it('is not used where a Sentinel was given as if it were the Redis, or does not know it', async () => {
    const primary = await RedisServer.start(path);
    whenTestEnds(() => primary.dispose());
    const port = await startSentinel(path, primary.port);
    await expect(open({ connection: { url: `redis://127.0.0.1:${port}` } })).rejects.toThrow(
      `Redis at 127.0.0.1:${port} is a Sentinel, and was given as one server. Give { name, sentinelRootNodes } as "connection", or a client of ioredis that has "sentinels".`,
    );
    const sentinelRootNodes = [{ host: '127.0.0.1', port }];
    await expect(open({ connection: { name: 'other', sentinelRootNodes } })).rejects.toThrow(
      `Redis at 127.0.0.1:${port} cannot be reached: the Sentinels know of no primary "other".`,
    );
  });
});
