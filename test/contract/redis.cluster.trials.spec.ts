import { afterAll, beforeAll } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RedisClusterLink } from '../../src/sse/backplanes/redis/redis-cluster.link.js';
import { RedisConnection } from '../../src/sse/backplanes/redis/redis.connection.js';
import { redisSettings } from '../../src/sse/backplanes/redis/redis.options.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { RedisServer } from '../support/redis-server.js';
import { describeCluster, type ClusterUnderTest } from './cluster.contract.js';
import { itNoticesLostOrders } from './lost-orders.js';
import { itSurvivesProcesses } from './processes.contract.js';
import { proxiedCluster, startedOn, type OpenLink } from './proxied-cluster.js';

async function linkTo(port: number, prefix: string): Promise<OpenLink> {
  const settings = redisSettings({ connection: { url: `redis://127.0.0.1:${port}` }, prefix });
  const connection = await RedisConnection.open(settings);
  return { link: new RedisClusterLink(connection), close: () => connection.close() };
}

const clusterOn = (server: RedisServer, how?: 'refuse'): ClusterUnderTest =>
  proxiedCluster(server, linkTo, how);

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
    const { link, close } = await linkTo(server.port, prefix);
    whenTestEnds(close);
    const cluster = await startedOn(link);
    whenTestEnds(() => cluster.close());
    return { port: server.port, prefix, cluster };
  });
});
