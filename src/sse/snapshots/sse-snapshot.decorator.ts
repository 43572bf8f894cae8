import type { MatchedParams } from '../channels/channel-pattern.js';
import {
  describeHandler,
  type ChannelsOf,
  type HandlerDecorator,
} from '../handlers/channel-handler.decorator.js';

/** The argument of a method with `@SseSnapshot()`. */
export interface SnapshotRequest<Params = Readonly<Record<string, string>>> {
  readonly channel: string;
  /** The values of the pattern's parameters, decoded. */
  readonly params: Params;
}

/** The result of a method with `@SseSnapshot()`. */
export interface SnapshotOf<State = unknown> {
  /** Any JSON value. */
  readonly state: State;
  /**
   * The id of the last event that the state includes: what `publish()` resolved with, or the `position` of
   * `hub.history()`. Without it the stream goes on from where the channel was before the method was called. An id
   * of a log that is gone stands for the beginning of the log in its place, if that is kept. It is ignored on a
   * channel without history.
   */
  readonly after?: string | undefined;
}

/**
 * A method that tells the present state of the channels of a pattern, as `{ state, after }` or a Promise of
 * that. A client that comes without a position in such a channel, or has a gap there, gets it as a `snapshot`
 * event, in place of `replay`, and then exactly what came after it. One call serves all clients that need the
 * state at the same moment, so it is the same for everybody; who may see it is for `@AuthorizeChannel()`.
 *
 * Without `after` the stream goes on from where the channel was before the call: nothing is lost then if a
 * change is stored before its event is published, and a change may come twice.
 *
 * An error, or no answer within `snapshotTime`, fails the response: with an HTTP status before the stream has
 * begun, with an `error` event and the end after that. Of several patterns that match, the first one found
 * holds. A name that does not write its parameters as `encodeURIComponent()` does has no snapshot.
 *
 * @param channels a pattern, or a definition made with `defineChannel()`
 * @throws SseError `INVALID_CHANNEL` for an invalid pattern; `DUPLICATE_DEFINITION` at start-up, if two methods
 * tell of the same channels
 *
 * @example
 * ```ts
 * @SseSnapshot('orders/:id')
 * async order({ params }: SnapshotRequest<{ id: string }>): Promise<SnapshotOf<Order>> {
 *   const { order, lastEventId } = await this.orders.read(params.id);
 *   return { state: order, after: lastEventId };
 * }
 * ```
 */
export const SseSnapshot = <const Pattern extends string>(
  channels: ChannelsOf<Pattern>,
): HandlerDecorator<SnapshotRequest<MatchedParams<Pattern>>, SnapshotOf | Promise<SnapshotOf>> =>
  describeHandler('snapshot', channels);
