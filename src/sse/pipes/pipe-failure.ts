import { Logger } from '@nestjs/common';
import type { ChannelWriter } from '../publishing/channel-writer.js';
import { errorMessage } from '../error-message.js';
import type { AnyEvents, EventMap, SseEventInput } from '../log/sse-event.js';
import { errorEvent, type StoredEvent } from '../log/stored-event.js';

/** Why a source that was piped into a channel has not come to its own end. */
export interface PipeFailure {
  /**
   * `failed`: the source has, or an event could not be published. `stopped`: the caller's `signal` was aborted.
   * `abandoned`: nobody has listened for `abandonAfter`. `closing`: the application closes. `lost`: its process has
   * ended without a word, or was away for so long that others took it for dead.
   */
  readonly reason: 'failed' | 'stopped' | 'abandoned' | 'closing' | 'lost';
  /** What `pipe()` rejects with. Of `lost` an `SseError` of the code `PIPE_LOST`. Not for the eyes of listeners. */
  readonly error: unknown;
  /** What listeners are told by default: what Nest's exception filter says of the error, or one word for the reason. */
  readonly message: string;
}

/** An event that a channel ends with: one that may be published there, or one of the type `error`. */
export type LastEvent<Inputs extends EventMap = AnyEvents> =
  SseEventInput<Inputs> | { readonly type: 'error'; readonly data?: unknown };

/**
 * Forms the last event of a source that has not come to its own end; `undefined` for none.
 */
export type FormLastEvent<Inputs extends EventMap = AnyEvents> = (
  failure: PipeFailure,
) => LastEvent<Inputs> | undefined;

const WORDS = { stopped: 'Stopped', abandoned: 'Abandoned', closing: 'Closing', lost: 'Lost' } as const;

export function failureOf(reason: PipeFailure['reason'], error: unknown): PipeFailure {
  return { reason, error, message: reason === 'failed' ? errorMessage(error) : WORDS[reason] };
}

const logger = new Logger('SseHub');

/** The event that listeners are told a failure by, encoded; undefined for none. A fault of `form` is logged. */
export async function lastEventOf(
  failure: PipeFailure,
  form: FormLastEvent | undefined,
  channel: string,
  writer: ChannelWriter,
): Promise<StoredEvent | undefined> {
  if (!form) return errorEvent(failure.message);
  try {
    const event = form(failure);
    return event && (await writer.lastEvent(channel, event));
  } catch (error) {
    const what = `The option "error" of hub.pipe() gives no event for "${channel}" (${failure.reason}); listeners are told "${failure.message}".`;
    logger.error(what, error instanceof Error ? error.stack : String(error));
    return errorEvent(failure.message);
  }
}
