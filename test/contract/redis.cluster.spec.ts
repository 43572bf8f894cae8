import { afterAll, beforeAll } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from 'redis';
import { RedisCluster } from '../../src/sse/backplanes/redis/redis.cluster.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { RedisServer } from '../support/redis-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { describeCluster, type ClusterUnderTest } from './cluster.contract.js';
import { itNoticesLostOrders } from './lost-orders.js';
import { itSurvivesProcesses } from './processes.contract.js';

async function connected(port: number) {
  const client = createClient({ socket: { port, host: '127.0.0.1', reconnectStrategy: () => 50 } });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** @param how the connection of an instance that is cut off hangs, or ends */
function clusterOn(server: RedisServer, how: 'cut' | 'refuse' = 'cut'): ClusterUnderTest {
  const prefix = randomUUID();
  const ends: (() => unknown)[] = [];
  return {
    server,
    join: async () => {
      const proxy = await TcpProxy.to(server.port);
      const [client, subscriber] = [await connected(proxy.port), await connected(proxy.port)];
      ends.push(
        () => client.destroy(),
        () => subscriber.destroy(),
        () => proxy.close(),
      );
      const cluster = new RedisCluster(client, subscriber, prefix);
      await cluster.start();
      return { cluster, cutOff: () => proxy[how](), restore: () => proxy.mend() };
    },
    dispose: async () => {
      for (const end of ends) await end();
    },
  };
}

describeWith('redis-server', 'with a Redis server', (path) => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start(path);
  });

  afterAll(() => server.dispose());

  describeCluster('Redis', () => clusterOn(server), { beCutOff: true });

  itNoticesLostOrders(async () => {
    const own = await RedisServer.start(path);
    whenTestEnds(() => own.dispose());
    const file = join(own.folder, 'dump.rdb');
    return {
      made: clusterOn(own, 'refuse'),
      save: async () => {
        await own.command('SAVE');
        await copyFile(file, `${file}.kept`);
      },
      restore: async () => {
        await own.stop();
        await copyFile(`${file}.kept`, file);
        await own.start();
      },
    };
  });

  itSurvivesProcesses('redis', async () => {
    const prefix = randomUUID();
    const [client, subscriber] = [await connected(server.port), await connected(server.port)];
    whenTestEnds(() => [client, subscriber].forEach((one) => one.destroy()));
    const cluster = new RedisCluster(client, subscriber, prefix);
    await cluster.start();
    whenTestEnds(() => cluster.close());
    return { port: server.port, prefix, cluster };
  });
});
