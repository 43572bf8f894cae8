import type { SseLimits } from '../sse.options.js';
import type { SseBackplane } from '../log/backplane.js';
import type { SseCluster } from '../cluster/cluster.js';

/** What keeps the logs, and what ties several instances together, where there is such a thing. */
export interface OpenBackplane {
  readonly backplane: SseBackplane;
  /** Without one, this instance is the only one. */
  readonly cluster?: SseCluster;
}

/**
 * Opens a backplane when the application starts, and resolves when it can be used.
 *
 * @throws SseError `BACKPLANE_FAILED` with one line that says why it cannot: the application does not start then
 */
export type BackplaneFactory = (limits: Required<SseLimits>) => OpenBackplane | Promise<OpenBackplane>;
