// An instance of an application in a process of its own, on the built package, that asks for the lease
// `lease`: `node cluster-member.js redis|nats <port> <prefix>`.
import { connect } from '@nats-io/transport-node';
import { RemoteCluster } from '../../dist/sse/backplanes/common/remote-cluster.js';
import { NatsClusterLink } from '../../dist/sse/backplanes/nats/nats.cluster.js';
import { RedisClusterLink } from '../../dist/sse/backplanes/redis/redis-cluster.link.js';
import { RedisConnection } from '../../dist/sse/backplanes/redis/redis.connection.js';
import { redisSettings } from '../../dist/sse/backplanes/redis/redis.options.js';

const [kind, port, prefix] = process.argv.slice(2);

const redis = () =>
  RedisConnection.open(redisSettings({ connection: { url: `redis://127.0.0.1:${port}` }, prefix }));

const link =
  kind === 'redis'
    ? new RedisClusterLink(await redis())
    : await NatsClusterLink.on(await connect({ port: Number(port) }), prefix);
const cluster = new RemoteCluster(link);
await cluster.start();
cluster.lead('lease', (signal) => {
  console.log('begins');
  signal.addEventListener('abort', () => console.log('ends'));
});
