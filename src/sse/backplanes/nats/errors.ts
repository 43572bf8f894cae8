import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import { InvalidArgumentError, TimeoutError } from '@nats-io/transport-node';
import { noAnswer, notSent, SseError } from '../../sse.errors.js';

/** A request has no answer, and will have none: its time is over, or the connection was lost. */
export class NoAnswer extends Error {}

/** A message was not stored: no stream takes the subject, or it was not sent. */
export class NotTaken extends Error {}

/** Another process changed what was being read. */
export class Changed extends Error {}

/** Another process was faster: the subject has a newer message than was expected, or {@link Changed}. Nothing was stored. */
export const isConflict = (error: unknown): boolean =>
  error instanceof Changed ||
  (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamWrongLastSequence);

/** Codes of JetStream's errors while a leader is elected (unavailable, not the leader, offline), and of no stream. */
const NO_STREAM: readonly number[] = [10008, 10009, 10118, JetStreamApiCodes.StreamNotFound];

/** Nobody answers for JetStream or for the subject at present, so nothing was stored. */
export const isNotTaken = (error: unknown): boolean =>
  error instanceof NotTaken ||
  (error as Error).name === 'JetStreamNotEnabled' ||
  (error instanceof JetStreamApiError && NO_STREAM.includes(error.code));

/** Something may have been stored: see {@link NoAnswer}. */
export const isNoAnswer = (error: unknown): boolean =>
  error instanceof NoAnswer || error instanceof TimeoutError;

/** Throws why an event was not published. Errors after which it can be tried again stay as they are. */
export function publishFailed(error: unknown): never {
  if (isConflict(error) || isNotTaken(error)) throw error;
  const { message } = error as Error;
  if (error instanceof InvalidArgumentError)
    throw notSent('publish', `NATS does not take the event (${message}): raise max_payload of the server.`);
  if (error instanceof JetStreamApiError) throw notSent('publish', `NATS refuses the event (${message}).`);
  throw noAnswer('publish', noReply(error));
}

export const noReply = (error: unknown): string => `NATS did not answer (${(error as Error).message}).`;

/** @returns SseError `BACKPLANE_FAILED` */
export function failed(message: string, cause?: unknown): SseError {
  return new SseError('BACKPLANE_FAILED', message, { cause });
}
