import { errorMessage } from '../error-message.js';
import type { AnyEvents, EventMap, SseEventInput } from '../log/sse-event.js';
import { SseError } from '../sse.errors.js';

/** The failure of a pipe: its source did not come to its own end. */
export interface PipeFailure {
  /**
   * `failed`: the source failed, or an event could not be published. `stopped`: the caller's `signal` was aborted.
   * `abandoned`: nobody has listened for `abandonAfter`. `closing`: the application closes. `lost`: its process has
   * ended without a word, or was away for so long that others took it for dead.
   */
  readonly reason: 'failed' | 'stopped' | 'abandoned' | 'closing' | 'lost';
  /** The error that `pipe()` rejects with, for `lost` an `SseError` `PIPE_LOST`. Do not show it to clients. */
  readonly error: unknown;
  /** The text that clients get by default: Nest's own text for the error, or one word for the reason. */
  readonly message: string;
}

/** An event that a channel ends with: one that may be published there, or one of the type `error`. */
export type LastEvent<Inputs extends EventMap = AnyEvents> =
  SseEventInput<Inputs> | { readonly type: 'error'; readonly data?: unknown };

/** Forms the last event of a source that has not come to its own end; `undefined` for none. */
export type FormLastEvent<Inputs extends EventMap = AnyEvents> = (
  failure: PipeFailure,
) => LastEvent<Inputs> | undefined;

const WORDS = { stopped: 'Stopped', abandoned: 'Abandoned', closing: 'Closing', lost: 'Lost' } as const;

export function failureOf(reason: PipeFailure['reason'], error: unknown): PipeFailure {
  return { reason, error, message: reason === 'failed' ? errorMessage(error) : WORDS[reason] };
}

export const abandoned = (milliseconds: number): SseError =>
  new SseError(
    'PIPE_ABANDONED',
    `Nobody has listened for ${milliseconds} ms (abandonAfter), so the source was stopped.`,
  );

export const lost = (channel: string): SseError =>
  new SseError(
    'PIPE_LOST',
    `The process that piped a source into "${channel}" has ended, or was away for so long that others took it for dead and told listeners so. Begin anew in another channel.`,
  );
