import { createClient } from 'redis';
import { RedisCluster } from '../../src/sse/backplanes/redis/redis.cluster.js';
import { whenTestEnds } from './clean-up.js';
import { RedisServer } from './redis-server.js';

/** Makes instances of one application, on a Redis of the test's own. */
export async function redisClusters(path: string): Promise<() => Promise<RedisCluster>> {
  const server = await RedisServer.start(path);
  whenTestEnds(() => server.dispose());
  return async () => {
    const clients = [createClient({ url: server.url }), createClient({ url: server.url })] as const;
    for (const client of clients) await client.connect();
    whenTestEnds(() => clients.forEach((client) => client.destroy()));
    const cluster = new RedisCluster(...clients, 'test');
    await cluster.start();
    return cluster;
  };
}
