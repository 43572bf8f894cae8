import { countOf, invalid, millisecondsOf, oneOf, stringOf } from '../../validate.js';

/** Options of every backplane that keeps the logs on a server. */
export interface RemoteOptions {
  /** The beginning of the names of all that is kept on the server. @defaultValue 'sse' */
  readonly prefix?: string;
  /**
   * Milliseconds that a call may take. A `publish()` that could not be sent by then is a
   * `PUBLISH_REJECTED`, one that was sent and has no answer a `PUBLISH_UNCERTAIN`; any other call is a
   * `BACKPLANE_AWAY`. @defaultValue 5_000
   */
  readonly publishTimeout?: number;
  /**
   * Whether a call without a connection is to `wait` until there is one or its time is over, or to `fail` at once.
   * @defaultValue 'wait'
   */
  readonly whileAway?: 'wait' | 'fail';
  /** The most calls that wait or have no answer yet. The next one fails at once, unsent. @defaultValue 10_000 */
  readonly maxPending?: number;
}

export const REMOTE_OPTIONS = ['prefix', 'publishTimeout', 'whileAway', 'maxPending'];

/** Applies the defaults. @throws SseError `INVALID_OPTIONS` that names the option and what it takes */
export function remoteSettings(options: RemoteOptions): Required<RemoteOptions> {
  const { prefix = 'sse', publishTimeout = 5_000, whileAway = 'wait', maxPending = 10_000 } = options;
  // It becomes part of subjects and of keys with a hash tag.
  if (!/^[\w-]+$/.test(stringOf('prefix', prefix))) invalid('prefix', prefix, 'letters, digits, "-" and "_"');
  return {
    prefix,
    publishTimeout: millisecondsOf('publishTimeout', publishTimeout),
    whileAway: oneOf('whileAway', whileAway, ['wait', 'fail']),
    maxPending: countOf('maxPending', maxPending, 1),
  };
}
