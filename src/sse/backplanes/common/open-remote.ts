import type { OpenBackplane } from '../backplane-factory.js';
import { reasonOf, SseError } from '../../sse.errors.js';
import type { SseLimits } from '../../sse.options.js';
import type { ClusterLink } from './cluster-link.js';
import { RemoteBackplane } from './remote.backplane.js';
import { RemoteCluster } from './remote-cluster.js';
import type { RemoteLogs } from './remote-logs.js';
import type { RemoteOptions } from './remote.options.js';

/**
 * Makes a backplane and a cluster of what a server does for the logs and for the instances. Both are on the connection
 * of `logs`, which the backplane closes; it is closed after the cluster.
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
