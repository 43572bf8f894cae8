// An instance of an application in a process of its own, on the built package, that asks for the lease
// `office`: `node cluster-member.js redis|nats <port> <prefix>`.
import { connect } from '@nats-io/transport-node';
import { createClient } from 'redis';
import { NatsCluster } from '../../dist/sse/backplanes/nats/nats.cluster.js';
import { RedisCluster } from '../../dist/sse/backplanes/redis/redis.cluster.js';

const [kind, port, prefix] = process.argv.slice(2);

async function redisClient() {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

const cluster =
  kind === 'redis'
    ? new RedisCluster(await redisClient(), await redisClient(), prefix)
    : new NatsCluster(await connect({ port: Number(port) }), prefix);
await cluster.start();
cluster.lead('office', (signal) => {
  console.log('begins');
  signal.addEventListener('abort', () => console.log('ends'));
});
