import type { OpenBackplane } from '../backplane-factory.js';
import type { SseBackplane } from '../../log/backplane.js';
import { reasonOf, SseError } from '../../sse.errors.js';
import type { RemoteCluster } from './remote-cluster.js';

/**
 * Joins the cluster on the connection of a backplane.
 *
 * @throws SseError `BACKPLANE_FAILED`, and nothing is left open
 */
export async function startTogether(parts: {
  readonly backplane: SseBackplane;
  readonly cluster: RemoteCluster;
}): Promise<OpenBackplane> {
  try {
    await parts.cluster.start();
    return parts;
  } catch (cause) {
    await parts.backplane.close();
    const reason = reasonOf(cause);
    throw new SseError('BACKPLANE_FAILED', `The other instances cannot be joined: ${reason}`, { cause });
  }
}
