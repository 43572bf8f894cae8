import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { Publishing, SseDiagnostics } from './messages.js';

/*
 * Everything that this package tells of itself, on `node:diagnostics_channel`. Metrics, traces, the inspector and log
 * are listeners (listen.ts); so may be an application, or a vendor's agent.
 *
 * A message is made only if somebody has subscribed:
 *
 *     if (streamGap.hasSubscribers) streamGap.publish({ … });
 *
 * Nothing is told per delivery. What happens per delivery is counted, and told at the end of the turn, at most once in
 * some milliseconds (telling.ts).
 */

/** The prefix of the names of all channels of diagnostics. */
export const PREFIX = 'nestjs-sse-hub:';

/** A channel of diagnostics with the type of its messages. */
export interface Told<Message> {
  readonly hasSubscribers: boolean;
  publish(message: Message): void;
}

const told = <Name extends keyof SseDiagnostics>(name: Name): Told<SseDiagnostics[Name]> =>
  channel(PREFIX + name);

export const connectionBegan = told('connection:began');
export const connectionOpened = told('connection:opened');
export const connectionEnded = told('connection:ended');
export const connectionRefused = told('connection:refused');
export const connectionBackedUp = told('connection:backed-up');
export const streamBegan = told('stream:began');
export const streamEnded = told('stream:ended');
export const streamGap = told('stream:gap');
export const streamDenied = told('stream:denied');
export const channelDelivered = told('channel:delivered');
export const channelPublished = told('channel:published');
export const channelCompleted = told('channel:completed');
export const channelPurged = told('channel:purged');
export const hookFailed = told('hook:failed');
export const pipeBegan = told('pipe:began');
export const pipeEnded = told('pipe:ended');
export const orderObeyed = told('order:obeyed');
export const orderMissed = told('order:missed');
export const backplaneChanged = told('backplane:changed');

/** The tracing channel of `hub.publish()`: `tracing:nestjs-sse-hub:publish:start`, and so on. */
export const publishing = tracingChannel<unknown, Publishing>(`${PREFIX}publish`);
