import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { randomUUID } from 'node:crypto';
import { createClient, createCluster, createSentinel } from 'redis';
import { createClient as createClient5 } from 'redis-5';
import { redisBackplane, type RedisClientModel } from '../../src/sse/backplanes/redis/index.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { describeBackplane, stored } from './backplane.contract.js';
import { channelAt, open } from './redis.instances.js';

/** The clients that an application may have already. */
describeWith('redis-server', 'a client that an application has', (path) => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start(path);
  });
  afterAll(() => server.dispose());

  describeBackplane('ioredis', async () => {
    const client = new Redis(server.url, { lazyConnect: true });
    return redisBackplane({ client })(moduleSettings().limits);
  });

  describe.each([
    { of: 'redis 5', make: () => createClient5({ url: server.url }) },
    { of: 'redis 6', make: () => createClient({ url: server.url }) },
    { of: 'redis by RESP2', make: () => createClient({ url: server.url, RESP: 2 }) },
    { of: 'ioredis 5', make: () => new Redis5(server.url, { lazyConnect: true }) },
    { of: 'ioredis 6', make: () => new Redis(server.url, { lazyConnect: true }) },
    {
      of: 'ioredis with what changes answers and calls',
      make: () =>
        new Redis(server.url, {
          ...{ lazyConnect: true, stringNumbers: true, replyMapping: 'resp3', enableAutoPipelining: true },
          ...{ maxRetriesPerRequest: null, keyPrefix: 'app:' },
        }),
    },
  ] satisfies { of: string; make: () => RedisClientModel }[])('of $of', ({ make }) => {
    it('is the model of two connections, which are made again when they are lost', async () => {
      const client = make();
      const { backplane, cluster } = await open({ client });
      const listener = await channelAt(backplane).listener();
      const first = await channelAt(backplane).append('one');
      const leading = new Promise((resolve) => cluster.lead('work', resolve));
      await server.command('CLIENT', 'KILL', 'TYPE', 'normal');
      // What was sent as the connection broke is sent again, and stored once.
      const publishId = randomUUID();
      const publish = () => backplane.append('a', channelAt(backplane).settings, stored('two'), publishId);
      const last = await publish().catch(publish);
      await eventually(() => listener.log.has(last));
      // Of what another publishes a notice comes again.
      const subscribed = () => server.command('PUBSUB', 'CHANNELS', '*sse:2:0:{a}');
      await eventually(async () => ((await subscribed()) as string[]).length === 1);
      expect(last.offset).toBe(first.offset + 1);
      expect((await channelAt(backplane).kept()).slice(-2)).toEqual(['one', 'two']);
      await cluster.order('of an instance');
      await leading;
    });
  });

  it('is left alone, and its key prefix holds for all names', async () => {
    const client = new Redis(server.url, { keyPrefix: 'team:', db: 2 });
    whenTestEnds(() => client.disconnect());
    await client.set('mine', '1');
    const { backplane, cluster } = await open({ client });
    const listener = await channelAt(backplane).listener();
    const position = await channelAt(backplane).append('x');
    await eventually(() => listener.log.has(position));
    const other = new Redis5(server.url, { db: 2 });
    whenTestEnds(() => other.disconnect());
    const keys = await other.keys('*');
    expect(keys.filter((key) => !key.startsWith('team:sse:'))).toEqual(['team:mine']);
    await cluster.close();
    await backplane.close();
    expect(await client.get('mine')).toBe('1');
  });

  it('is refused where it is no such client', () => {
    const refusal = (client: unknown) => () => redisBackplane({ client: client as RedisClientModel });
    const advice =
      /createSentinel\(\) or createCluster\(\)\. Give the options that it was made with as "connection"\.$/;
    expect(refusal(createCluster({ rootNodes: [] }))).toThrow(advice);
    expect(refusal(createSentinel({ name: 'x', sentinelRootNodes: [] }))).toThrow(advice);
    for (const client of ['redis://127.0.0.1', {}, server])
      expect(refusal(client)).toThrow('The option "client" is no client of redis or ioredis.');
  });
});
