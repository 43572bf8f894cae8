import { SseError } from '../sse.errors.js';
import type { SseLimits } from '../sse.options.js';
import type { SseBackplane } from '../log/backplane.js';
import type { SseCluster } from '../cluster/cluster.js';

/** An open backplane, which keeps the logs, and the cluster that ties several instances together, if there is one. */
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

/** @throws SseError in one line: the fault is not in the code, so its stack would tell nothing */
export async function openBackplane(
  open: BackplaneFactory,
  limits: Required<SseLimits>,
): Promise<OpenBackplane> {
  try {
    return await open(limits);
  } catch (error) {
    throw error instanceof SseError ? inOneLine(error) : error;
  }
}

/** Leaves out stack, cause and properties: Nest prints them all when an error ends the start. */
function inOneLine({ code, message }: SseError): SseError {
  const error = new SseError(code, message);
  Object.defineProperty(error, 'code', { enumerable: false });
  error.stack = `${error.name}: ${message}`;
  return error;
}
