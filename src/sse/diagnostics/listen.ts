import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Logger } from '@nestjs/common';
import { SparseLog, sparseLine } from '../sparse-log.js';
import { isThenable } from '../values.js';
import { PREFIX } from './diagnostics.js';
import type { OfHub, SseDiagnostics, SsePublishing } from './messages.js';

type Messages = SseDiagnostics & SsePublishing;

/** Names of messages, each with a function that hears it. */
export type SseListeners = {
  readonly [Name in keyof Messages]?: (message: Messages[Name]) => void;
};

/**
 * Hears what the package tells of itself on `node:diagnostics_channel`, of one hub or of all in this process. A listener
 * runs in the turn in which something happens, often in the midst of a delivery: it counts or notes, and does its work
 * later. One that throws is logged; on a bare subscription Node takes that for an uncaught exception.
 *
 * @param hub the instance whose messages to hear, `SseCluster.instance`; undefined for those of all
 * @returns ends the listening
 */
export function listenTo(listeners: SseListeners, hub?: string): () => void {
  const failures = new SparseLog();
  const ends = Object.entries(listeners).map(([name, listener]) =>
    hear(name, listener as (message: OfHub) => unknown, hub, failures),
  );
  return () => ends.forEach((end) => end());
}

const logger = new Logger('SseDiagnostics');

function hear(
  name: string,
  listener: (message: OfHub) => unknown,
  hub: string | undefined,
  failures: SparseLog,
): () => void {
  const failed = (error: unknown): void =>
    failures.add(name, (leftOut) =>
      logger.error(sparseLine(`A listener of ${name} has failed.`, leftOut, { listener: name, err: error })),
    );
  const guarded = (message: unknown): void => {
    if (hub !== undefined && (message as OfHub).hub !== hub) return;
    try {
      const result = listener(message as OfHub);
      if (isThenable(result)) result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  };
  const channel = name.startsWith('publish:') ? `tracing:${PREFIX}${name}` : PREFIX + name;
  subscribe(channel, guarded);
  return () => unsubscribe(channel, guarded);
}
