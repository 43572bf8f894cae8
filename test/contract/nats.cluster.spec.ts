import { afterAll, beforeAll } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { connect } from '@nats-io/transport-node';
import { NatsCluster } from '../../src/sse/backplanes/nats/nats.cluster.js';
import { describeWith } from '../support/describe-with.js';
import { NatsServer } from '../support/nats-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { describeCluster, type ClusterUnderTest } from './cluster.contract.js';

const connected = (port: number) =>
  connect({ port, maxReconnectAttempts: -1, reconnectTimeWait: 50, reconnectJitter: 0 });

function clusterOn(server: NatsServer): ClusterUnderTest {
  const prefix = randomUUID();
  const ends: (() => unknown)[] = [];
  return {
    server,
    join: async () => {
      const proxy = await TcpProxy.to(server.port);
      const connection = await connected(proxy.port);
      ends.push(
        () => connection.close(),
        () => proxy.close(),
      );
      const cluster = new NatsCluster(connection, prefix);
      await cluster.start();
      return { cluster, cutOff: () => proxy.cut(), restore: () => proxy.mend() };
    },
    dispose: async () => {
      for (const end of ends) await end();
    },
  };
}

describeWith('nats-server', 'with a NATS server', (path) => {
  let server: NatsServer;

  beforeAll(async () => {
    server = await NatsServer.start(path);
  });

  afterAll(() => server.dispose());

  describeCluster('NATS', () => clusterOn(server), { beCutOff: true });
});
