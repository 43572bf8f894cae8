import { afterAll, beforeAll } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RemoteCluster } from '../../src/sse/backplanes/common/remote-cluster.js';
import { RedisClusterLink } from '../../src/sse/backplanes/redis/redis-cluster.link.js';
import { RedisConnection } from '../../src/sse/backplanes/redis/redis.connection.js';
import { redisSettings } from '../../src/sse/backplanes/redis/redis.options.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { RedisServer } from '../support/redis-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { describeCluster, type ClusterUnderTest } from './cluster.contract.js';
import { itNoticesLostOrders } from './lost-orders.js';
import { itSurvivesProcesses } from './processes.contract.js';

const connected = (port: number, prefix: string): Promise<RedisConnection> =>
  RedisConnection.open(redisSettings({ connection: { url: `redis://127.0.0.1:${port}` }, prefix }));

/** @param how the connection of an instance that is cut off hangs, or ends */
function clusterOn(server: RedisServer, how: 'cut' | 'refuse' = 'cut'): ClusterUnderTest {
  const prefix = randomUUID();
  const ends: (() => unknown)[] = [];
  return {
    server,
    join: async () => {
      const proxy = await TcpProxy.to(server.port);
      const connection = await connected(proxy.port, prefix);
      ends.push(
        () => connection.close(),
        () => proxy.close(),
      );
      const cluster = new RemoteCluster(new RedisClusterLink(connection));
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
    const connection = await connected(server.port, prefix);
    whenTestEnds(() => connection.close());
    const cluster = new RemoteCluster(new RedisClusterLink(connection));
    await cluster.start();
    whenTestEnds(() => cluster.close());
    return { port: server.port, prefix, cluster };
  });
});
