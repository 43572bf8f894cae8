/** The state of a connection, as a page shows it. Each is a new object, so that it can be compared by identity. */
export type ConnectionState =
  /** The first attempt is on its way. */
  | { readonly kind: 'connecting' }
  /** Events arrive. */
  | { readonly kind: 'open' }
  | Reconnecting
  | Closed;

/** The connection was lost, or could not be made. */
export interface Reconnecting {
  readonly kind: 'reconnecting';
  /** How many attempts have failed since the connection was open; 0 for one that has ended and not failed. */
  readonly attempt: number;
  /** When the next attempt begins: milliseconds since 1970. */
  readonly at: number;
  /** The error of the last attempt, if it has failed. */
  readonly error: unknown;
}

/** Nothing comes any more. */
export type Closed =
  /** The server has answered 204: the client has all there will ever be. */
  | { readonly kind: 'closed'; readonly reason: 'completed' }
  /** The server has answered with a status that a second attempt would not change, or with something that is no stream. */
  | { readonly kind: 'closed'; readonly reason: 'refused'; readonly status: number }
  /** The hub has said that the client's identity has expired, and the server has refused the client since. */
  | { readonly kind: 'closed'; readonly reason: 'expired'; readonly status: number }
  /** `close()` was called, or the signal has aborted. */
  | { readonly kind: 'closed'; readonly reason: 'stopped' }
  /** Something that a second attempt would not change: an event longer than `maxEventLength`, an error of `parse` or `onRefused`, or a request that cannot be made. */
  | { readonly kind: 'closed'; readonly reason: 'failed'; readonly error: Error };
