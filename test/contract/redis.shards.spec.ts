import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Cluster } from 'ioredis';
import type { RedisBackplaneOptions } from '../../src/sse/backplanes/redis/index.js';
import type { Position } from '../../src/sse/protocol/position.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { RedisShards, startShard } from '../support/redis-shards.js';
import { stored } from './backplane.contract.js';
import { channelAt, open } from './redis.instances.js';

/** An instance's backplane, by either package. Each is given one server of the Cluster, which may be any. */
const byNodeRedis = ({ servers }: RedisShards): RedisBackplaneOptions => ({
  connection: { rootNodes: [{ url: servers[1]!.url }, { url: servers[2]!.url }] },
});

const byIoRedis = ({ servers }: RedisShards): RedisBackplaneOptions => ({
  client: new Cluster(
    servers.slice(0, 2).map(({ port }) => ({ host: '127.0.0.1', port })),
    { lazyConnect: true },
  ),
});

describeWith('redis-server', 'a Redis Cluster', (path) => {
  // Of each connection that is lost there is a warning.
  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(true));

  const instance = (options: RedisBackplaneOptions) => open({ publishTimeout: 30_000, ...options });

  it('has a hub on one server, which is found and is followed where it moves', async () => {
    const shards = await RedisShards.start(path);
    const instances = [await instance(byNodeRedis(shards)), await instance(byIoRedis(shards))] as const;
    const listeners = await Promise.all(instances.map(({ backplane }) => channelAt(backplane).listener()));
    const append = async (...data: number[]): Promise<void> => {
      const positions: Position[] = [];
      for (const n of data) positions.push(await channelAt(instances[n % 2]!.backplane).append(n));
      for (const listener of listeners) await eventually(() => listener.log.has(positions.at(-1)!));
    };
    await append(0, 1);
    const owner = await shards.ownerOf('{sse}');
    for (const server of shards.servers) {
      const keys = (await server.command('KEYS', '*')) as string[];
      expect(keys.filter((key) => !key.startsWith('{sse}:'))).toEqual([]);
      expect(keys.length > 0).toBe(server === owner);
    }
    // Orders go to all, and a lease to one.
    const heard = new Promise((resolve) => instances[1].cluster.listen('topic', resolve));
    await instances[0].cluster.broadcast('topic', 'hello');
    expect(await heard).toBe('hello');

    const replica = await shards.replicaOf(owner);
    await owner.stop();
    await append(2, 3);
    expect(await replica.command('XLEN', '{sse}:2:{a}:log')).toBe(4);
    expect(listeners.flatMap(({ told }) => told.filter((what) => typeof what !== 'number'))).toEqual([]);
  });

  it('has a hub found again when its slot was moved, and publishes wait meanwhile', async () => {
    const shards = await RedisShards.start(path);
    const one = await instance(byIoRedis(shards));
    const other = await instance(byNodeRedis(shards));
    const listener = await channelAt(one.backplane).listener();
    await channelAt(other.backplane).append(0);
    const owner = await shards.ownerOf('{sse}');
    const next = shards.servers.find((server) => server !== owner)!;
    const asked = async () => String(await owner.command('INFO', 'errorstats')).includes('errorstat_ASK:');
    let waiting: Promise<unknown> = Promise.resolve();
    await shards.move('{sse}', next, async () => {
      // A channel that is new has no keys yet where the slot is to be left.
      waiting = other.backplane.append('new', channelAt(one.backplane).settings, stored(1));
      await eventually(asked);
      await instance({ connection: { rootNodes: [{ url: owner.url }] } });
    });
    await waiting;
    const last = await channelAt(other.backplane).append(1);
    await eventually(() => listener.log.has(last));
    expect(listener.seen.map(({ event }) => Number(event.data))).toEqual([0, 1]);
    expect(await next.command('XLEN', '{sse}:2:{new}:log')).toBe(1);
  });

  it('is not used where one of its servers was given as if it were all', async () => {
    const { url, port } = await startShard(path);
    await expect(open({ connection: { url } })).rejects.toThrow(
      `Redis at 127.0.0.1:${port} is a server of a Cluster, and was given as one server. Give { rootNodes } as "connection", or a Cluster of ioredis as "client".`,
    );
  });
});
