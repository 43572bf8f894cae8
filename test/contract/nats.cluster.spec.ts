import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { connect } from '@nats-io/transport-node';
import { NatsCluster } from '../../src/sse/backplanes/nats/nats.cluster.js';
import { LEASE_TIME } from '../../src/sse/hub/cluster.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { NatsServer } from '../support/nats-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { describeCluster, type ClusterUnderTest } from './cluster.contract.js';
import { Office } from './office.js';
import { itSurvivesProcesses } from './processes.contract.js';

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

  itSurvivesProcesses('nats', async () => {
    const prefix = randomUUID();
    const connection = await connected(server.port);
    whenTestEnds(() => connection.close());
    const cluster = new NatsCluster(connection, prefix);
    await cluster.start();
    whenTestEnds(() => cluster.close());
    return { port: server.port, prefix, cluster };
  });

  it('gives no lease to another when the server has lost it, before its holder knows', async () => {
    const made = clusterOn(server);
    whenTestEnds(() => made.dispose?.());
    const office = new Office();
    const clusters = [(await made.join()).cluster, (await made.join()).cluster, (await made.join()).cluster];
    for (const cluster of clusters) office.ask(cluster);
    await office.changes(1);
    await server.stop();
    await rm(server.folder, { recursive: true });
    await server.start();
    const until = Date.now() + 2 * LEASE_TIME;
    await eventually(() => Date.now() > until);
    expect([office.most, office.present.size]).toEqual([1, 1]);
    await Promise.all(clusters.map((cluster) => cluster.close()));
  }, 30_000);
});
