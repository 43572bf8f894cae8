import { randomUUID } from 'node:crypto';
import type { ClusterLink } from '../../src/sse/backplanes/common/cluster-link.js';
import { RemoteCluster } from '../../src/sse/backplanes/common/remote-cluster.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import type { ClusterUnderTest } from './cluster.contract.js';

/** A link of an instance, and what closes its connection. */
export interface OpenLink {
  readonly link: ClusterLink;
  readonly close: () => unknown;
}

/** A cluster that has started, on a link of its own. */
export async function startedOn(link: ClusterLink): Promise<RemoteCluster> {
  const cluster = new RemoteCluster(link);
  await cluster.start();
  return cluster;
}

/**
 * Instances that reach a server through a proxy each, so that each can be cut off.
 *
 * @param how the connection of an instance that is cut off hangs, or ends
 */
export function proxiedCluster(
  server: NonNullable<ClusterUnderTest['server']> & { readonly port: number },
  open: (port: number, prefix: string) => Promise<OpenLink>,
  how: 'cut' | 'refuse' = 'cut',
): ClusterUnderTest {
  const prefix = randomUUID();
  const ends: (() => unknown)[] = [];
  return {
    server,
    join: async () => {
      const proxy = await TcpProxy.to(server.port);
      const { link, close } = await open(proxy.port, prefix);
      ends.push(close, () => proxy.close());
      const cluster = await startedOn(link);
      return { cluster, cutOff: () => proxy[how](), restore: () => proxy.mend() };
    },
    dispose: async () => {
      for (const end of ends) await end();
    },
  };
}
