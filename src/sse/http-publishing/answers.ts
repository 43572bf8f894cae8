import { HttpException, HttpStatus } from '@nestjs/common';
import type { PublishOutcome } from '../publishing/publish-many.js';
import { SseError, type SseErrorCode } from '../sse.errors.js';

/** Seconds after which a publisher may try again. */
export const RETRY_AFTER = 5;

/** As the number that it is in an answer. */
const UNAVAILABLE: number = HttpStatus.SERVICE_UNAVAILABLE;

const { BAD_REQUEST, CONFLICT, PAYLOAD_TOO_LARGE, SERVICE_UNAVAILABLE } = HttpStatus;

/** Any other error is the application's own, and stays a 500. */
const STATUS: Partial<Record<SseErrorCode, HttpStatus>> = {
  INVALID_CHANNEL: BAD_REQUEST,
  UNKNOWN_CHANNEL: BAD_REQUEST,
  INVALID_EVENT: BAD_REQUEST,
  INVALID_DATA: BAD_REQUEST,
  RESERVED_TYPE: BAD_REQUEST,
  ID_NOT_ALLOWED: BAD_REQUEST,
  NOT_SERIALIZABLE: BAD_REQUEST,
  TOO_MANY_CHANNELS: BAD_REQUEST,
  CHANNEL_COMPLETED: CONFLICT,
  EVENT_TOO_LARGE: PAYLOAD_TOO_LARGE,
  TOO_MANY_EVENTS: PAYLOAD_TOO_LARGE,
  PUBLISH_UNCERTAIN: SERVICE_UNAVAILABLE,
  PUBLISH_REJECTED: SERVICE_UNAVAILABLE,
  BACKPLANE_AWAY: SERVICE_UNAVAILABLE,
  HUB_FULL: SERVICE_UNAVAILABLE,
  HUB_CLOSED: SERVICE_UNAVAILABLE,
};

/** What has become of one event of a batch. */
export type EntryOutcome =
  | {
      readonly status: 201;
      /** The event's id, or the empty string where its channel has none. */
      readonly id: string;
    }
  | { readonly status: number; readonly error: SseErrorCode; readonly message: string };

/** The answer to a batch, in the order of its events. */
export interface BatchOutcome {
  readonly outcomes: readonly EntryOutcome[];
}

/** The error of a request, as exception filters see it; an error that is not of the request stays as it is. */
export function refusalOf(error: unknown): unknown {
  const status = error instanceof SseError ? STATUS[error.code] : undefined;
  if (status === undefined) return error;
  const { code, message } = error as SseError;
  return new HttpException({ statusCode: status, error: code, message }, status, { cause: error });
}

/** Whether a status says that the request may be sent again. */
export const mayBeTriedAgain = (status: number): boolean => status === UNAVAILABLE;

export function entryOutcome(outcome: PublishOutcome): EntryOutcome {
  if (outcome.status === 'published') return { status: 201, id: outcome.id };
  const { code, message } = outcome.error;
  return { status: STATUS[code] ?? HttpStatus.INTERNAL_SERVER_ERROR, error: code, message };
}
