import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Logger } from '@nestjs/common';
import { PREFIX } from './diagnostics.js';
import type { OfHub, SseDiagnostics } from './messages.js';

/** Names of messages, each with a function that hears it. */
export type SseListeners = {
  readonly [Name in keyof SseDiagnostics]?: (message: SseDiagnostics[Name]) => void;
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
  const ends = Object.entries(listeners).map(([name, listener]) =>
    hear(PREFIX + name, listener as (message: OfHub) => void, hub),
  );
  return () => ends.forEach((end) => end());
}

/** As {@link listenTo}, of one channel of diagnostics by its whole name. */
export function hear<Message extends OfHub>(
  name: string,
  listener: (message: Message) => void,
  hub?: string,
): () => void {
  const guarded = (message: unknown): void => {
    if (hub !== undefined && (message as Message).hub !== hub) return;
    try {
      listener(message as Message);
    } catch (error) {
      new Logger('SseDiagnostics').error(`A listener of ${name} has failed.`, error);
    }
  };
  subscribe(name, guarded);
  return () => unsubscribe(name, guarded);
}
