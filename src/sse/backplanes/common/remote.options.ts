import { countOf, invalid, millisecondsOf, oneOf, stringOf } from '../../validate.js';

/** What holds for every backplane that keeps the logs on a server. */
export interface RemoteOptions {
  /** What the names of all that is kept on the server begin with. @defaultValue 'sse' */
  readonly prefix?: string;
  /**
   * Milliseconds that a call may take. A `publish()` that could not be sent by then is a
   * `PUBLISH_REJECTED`, one that was sent and has no answer a `PUBLISH_UNCERTAIN`; any other call is a
   * `BACKPLANE_AWAY`. @defaultValue 5_000
   */
  readonly publishTimeout?: number;
  /**
   * What a call does while there is no connection: `wait` until there is one or its time is over, or
   * `fail` at once. @defaultValue 'wait'
   */
  readonly whileAway?: 'wait' | 'fail';
  /** Calls that wait or have no answer yet; the next one fails at once, without being sent. @defaultValue 10_000 */
  readonly maxPending?: number;
}

const DEFAULTS: Required<RemoteOptions> = {
  prefix: 'sse',
  publishTimeout: 5_000,
  whileAway: 'wait',
  maxPending: 10_000,
};

export const REMOTE_OPTIONS = Object.keys(DEFAULTS);

/** Applies the defaults. @throws SseError `INVALID_OPTIONS` that names the option and what it takes */
export function remoteSettings(options: RemoteOptions): Required<RemoteOptions> {
  const {
    prefix = DEFAULTS.prefix,
    publishTimeout = DEFAULTS.publishTimeout,
    whileAway = DEFAULTS.whileAway,
    maxPending = DEFAULTS.maxPending,
  } = options;
  // It becomes part of subjects and of keys with a hash tag.
  if (!/^[\w-]+$/.test(stringOf('prefix', prefix))) invalid('prefix', prefix, 'letters, digits, "-" and "_"');
  return {
    prefix,
    publishTimeout: millisecondsOf('publishTimeout', publishTimeout),
    whileAway: oneOf('whileAway', whileAway, ['wait', 'fail']),
    maxPending: countOf('maxPending', maxPending, 1),
  };
}
