import { checkObject, countOf, invalid, millisecondsOf, stringOf } from '../../validate.js';

/** Options of `lmdbBackplane()`. */
export interface LmdbOptions {
  /**
   * The directory of the data, on a disk of this machine; it is made if it is not there. One process has
   * it at a time. Its path has at most 80 bytes.
   */
  readonly path: string;
  /**
   * Milliseconds that a call may take; the disk may be slow or hang. A `publish()` whose transaction had
   * not begun by then is a `PUBLISH_REJECTED`, one whose transaction has not ended a `PUBLISH_UNCERTAIN`;
   * any other call is a `BACKPLANE_AWAY`. @defaultValue 5_000
   */
  readonly publishTimeout?: number;
  /** Calls that wait for the disk; the next one fails at once, and nothing of it is stored. @defaultValue 10_000 */
  readonly maxPending?: number;
}

/** Applies the defaults. @throws SseError `INVALID_OPTIONS` that names the option and what it takes */
export function lmdbSettings(options: LmdbOptions): Required<LmdbOptions> {
  checkObject(options, ['path', 'publishTimeout', 'maxPending'], 'lmdbBackplane()');
  const { path, publishTimeout = 5_000, maxPending = 10_000 } = options;
  if (stringOf('path', path) === '') invalid('path', path, 'the name of a directory');
  return {
    path,
    publishTimeout: millisecondsOf('publishTimeout', publishTimeout),
    maxPending: countOf('maxPending', maxPending, 1),
  };
}
