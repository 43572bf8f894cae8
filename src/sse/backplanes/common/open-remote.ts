import type { OpenBackplane } from '../backplane-factory.js';
import { reasonOf, SseError } from '../../sse.errors.js';
import type { SseLimits } from '../../sse.options.js';
import type { ClusterLink } from './cluster-link.js';
import { RemoteBackplane } from './remote.backplane.js';
import { RemoteCluster } from './remote-cluster.js';
import type { RemoteLogs } from './remote-logs.js';
import type { RemoteOptions } from './remote.options.js';

/**
 * Makes a backplane of a server's logs, and a cluster of its link. Both use the connection of `logs`. The backplane
 * closes that, so the cluster is to be closed first.
 *
 * @throws SseError `BACKPLANE_FAILED`, and nothing is left open
 */
export async function openRemote(
  logs: RemoteLogs,
  link: ClusterLink,
  settings: Required<RemoteOptions>,
  limits: Required<SseLimits>,
): Promise<OpenBackplane> {
  const cluster = new RemoteCluster(link);
  try {
    await cluster.start();
  } catch (cause) {
    await logs.close();
    const reason = reasonOf(cause);
    throw new SseError('BACKPLANE_FAILED', `The other instances cannot be joined: ${reason}`, { cause });
  }
  return { backplane: new RemoteBackplane(logs, settings, limits, () => cluster.catchUp()), cluster };
}
