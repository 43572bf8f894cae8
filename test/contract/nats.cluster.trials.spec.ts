import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { NatsClusterLink } from '../../src/sse/backplanes/nats/nats.cluster.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { NatsServer } from '../support/nats-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { describeCluster, type ClusterUnderTest } from './cluster.contract.js';
import { LeaseHistory } from '../../src/sse/testing/contracts/leading.contract.js';
import { itNoticesLostOrders } from './lost-orders.js';
import { itSurvivesProcesses } from './processes.contract.js';
import { proxiedCluster, startedOn, type OpenLink } from './proxied-cluster.js';

const connected = (port: number) =>
  connect({ port, maxReconnectAttempts: -1, reconnectTimeWait: 50, reconnectJitter: 0 });

async function linkTo(port: number, prefix: string): Promise<OpenLink> {
  const connection = await connected(port);
  return { link: await NatsClusterLink.on(connection, prefix), close: () => connection.close() };
}

const clusterOn = (server: NatsServer, how?: 'refuse'): ClusterUnderTest =>
  proxiedCluster(server, linkTo, how);

describeWith('nats-server', 'with a NATS server', (path) => {
  let server: NatsServer;

  beforeAll(async () => {
    server = await NatsServer.start(path);
  });

  afterAll(() => server.dispose());

  describeCluster('NATS', () => clusterOn(server), { beCutOff: true });

  itNoticesLostOrders(async () => {
    const own = await NatsServer.start(path);
    whenTestEnds(() => own.dispose());
    return {
      made: clusterOn(own, 'refuse'),
      save: async () => {
        await own.stop();
        await own.save();
        await own.start();
      },
      restore: async () => {
        await own.stop();
        await own.restore();
        await own.start();
      },
    };
  });

  itSurvivesProcesses('nats', async () => {
    const prefix = randomUUID();
    const { link, close } = await linkTo(server.port, prefix);
    whenTestEnds(close);
    const cluster = await startedOn(link);
    whenTestEnds(() => cluster.close());
    return { port: server.port, prefix, cluster };
  });

  it('gives no lease to another when the server has lost it, before its holder knows', async () => {
    const made = clusterOn(server);
    whenTestEnds(() => made.dispose?.());
    const lease = new LeaseHistory();
    const [one, other] = [await made.join(), await made.join()];
    lease.ask(one.cluster);
    await lease.changes(1);
    lease.ask(other.cluster);
    one.cutOff!();
    await server.stop();
    await server.empty();
    await server.start();
    await lease.changes(2);
    expect([lease.most, lease.holder]).toEqual([1, other.cluster]);
    one.restore!();
    await Promise.all([one, other].map(({ cluster }) => cluster.close()));
  });

  it('goes on with a lease although the answer to a sign of life was lost', async () => {
    const proxy = await TcpProxy.to(server.port);
    const connection = await connected(proxy.port);
    whenTestEnds(() => proxy.close());
    whenTestEnds(() => connection.close());
    const link = await NatsClusterLink.on(connection, randomUUID());
    await link.open({ received: () => undefined, reconnected: () => undefined });
    expect(await link.hold('lease', 'me', 'candidate')).toBe(true);
    proxy.cut();
    await expect(link.hold('lease', 'me', 'leader')).rejects.toThrow();
    proxy.mend(); // now it arrives
    await link.members();
    expect(await link.hold('lease', 'other', 'candidate')).toBe(false);
    expect(await link.hold('lease', 'me', 'leader')).toBe(true);
    await link.release('lease', 'me');
    expect(await link.hold('lease', 'other', 'candidate')).toBe(true);
  });

  it('joins although the stream, which another instance makes at that moment, takes nothing yet', async () => {
    const connection = await connected(server.port);
    whenTestEnds(() => connection.close());
    const { streams } = await jetstreamManager(connection);
    const root = `${randomUUID()}-cluster`;
    await streams.add({ name: root, subjects: [`${root}.elsewhere`], max_msgs_per_subject: 1 });
    const link = await NatsClusterLink.on(connection, root.replace('-cluster', ''));
    await link.open({ received: () => undefined, reconnected: () => undefined });
    const enrolled = link.enrol('me');
    // On one connection this comes after the first attempt.
    await streams.update(root, { subjects: [`${root}.lease.*`, `${root}.instance.*`] });
    await enrolled;
    expect((await link.members()).there).toEqual(['me']);
  });
});
