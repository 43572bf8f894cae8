import { RemoteCluster } from '../../src/sse/backplanes/common/remote-cluster.js';
import { RedisClusterLink } from '../../src/sse/backplanes/redis/redis-cluster.link.js';
import { RedisConnection } from '../../src/sse/backplanes/redis/redis.connection.js';
import { redisSettings } from '../../src/sse/backplanes/redis/redis.options.js';
import { whenTestEnds } from './clean-up.js';
import { RedisServer } from './redis-server.js';

/** Makes instances of one application, on a Redis of the test's own. */
export async function redisClusters(path: string): Promise<() => Promise<RemoteCluster>> {
  const server = await RedisServer.start(path);
  whenTestEnds(() => server.dispose());
  return async () => {
    const connection = await RedisConnection.open(redisSettings({ connection: { url: server.url } }));
    whenTestEnds(() => connection.close());
    const cluster = new RemoteCluster(new RedisClusterLink(connection));
    await cluster.start();
    return cluster;
  };
}
