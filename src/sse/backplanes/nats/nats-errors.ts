import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import { InvalidArgumentError, TimeoutError } from '@nats-io/transport-node';
import { noAnswer, notSent, SseError } from '../../sse.errors.js';

/** The connection was lost before there was an answer. */
export class Disconnected extends Error {
  constructor() {
    super('the connection was lost');
  }
}

/** There was none in time. */
export class NoAnswer extends Error {
  constructor() {
    super('its time is over');
  }
}

/** No stream takes what is published on the subject. */
export class NobodyThere extends Error {
  constructor() {
    super('no stream is there');
  }
}

/** Whether something was not stored because the subject has a newer message than its sender knew. */
export function isConflict(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamWrongLastSequence;
}

/** Codes of JetStream's errors while a leader is elected (unavailable, not the leader, offline), and of no stream. */
const NOT_THERE: readonly number[] = [10008, 10009, 10118, JetStreamApiCodes.StreamNotFound];

/** Whether nobody answers for JetStream, or for the subject that was published to: it was not stored then. */
export const isNobodyThere = (error: unknown): boolean =>
  error instanceof NobodyThere ||
  (error as Error).name === 'JetStreamNotEnabled' ||
  (error instanceof JetStreamApiError && NOT_THERE.includes(error.code));

/** Whether a request has no answer, and will have none: the connection was lost, or who was to answer is gone. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof Disconnected || error instanceof NoAnswer || error instanceof TimeoutError;

/** What an event that was handed to NATS has come to. */
export function publishFailure(error: unknown): SseError {
  if (error instanceof SseError) return error;
  const { message } = error as Error;
  if (error instanceof InvalidArgumentError)
    return notSent('publish', `NATS does not take the event (${message}): raise max_payload of the server.`);
  if (error instanceof JetStreamApiError) return notSent('publish', `NATS refuses the event (${message}).`);
  if (isNobodyThere(error)) return notSent('publish', 'NATS has no stream for the event at present.');
  return noAnswer('publish', `NATS did not answer (${message}).`);
}

/** What a call has come to that failed before anything was published by it. */
export function callFailure(kind: 'publish' | 'other', error: unknown): SseError {
  if (error instanceof SseError) return error;
  return notSent(kind, `NATS did not answer (${(error as Error).message}).`);
}
