import type { MatchedParams } from '../channels/channel-pattern.js';
import {
  describeHandler,
  type ChannelsOf,
  type HandlerDecorator,
} from '../handlers/channel-handler.decorator.js';

/** The argument of a method with `@OnSubscribe()` or `@OnUnsubscribe()`. */
export interface ChannelSubscription<
  Params = Readonly<Record<string, string>>,
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the application knows the type of its adapter's request
  Request = any,
> extends ChannelUse<Params> {
  /** The user, as `identify` says. */
  readonly user: string | undefined;
  /** The request that the stream belongs to, as the adapter has it. */
  readonly request: Request;
  /** The id of the connection, as `hub.connections()` has it. */
  readonly connection: string;
}

/** The argument of a method with `@OnFirstSubscriber()` or `@OnLastUnsubscribed()`. */
export interface ChannelUse<Params = Readonly<Record<string, string>>> {
  readonly channel: string;
  /** The values of the pattern's parameters, decoded. */
  readonly params: Params;
}

/**
 * A method that is called when a client begins to stream a channel of a pattern, once access was granted and the
 * client's position is known. It is called on the client's instance. No stream waits for it, and its errors are logged.
 *
 * @param channels a pattern, or a definition made with `defineChannel()`
 * @throws SseError `INVALID_CHANNEL` for an invalid pattern
 *
 * @example
 * ```ts
 * @OnSubscribe('orders/:id')
 * async opened({ params, user }: ChannelSubscription<{ id: string }>): Promise<void> {
 *   await this.audit.add(`${user} reads order ${params.id}`);
 * }
 * ```
 */
export const OnSubscribe = <const Pattern extends string>(
  channels: ChannelsOf<Pattern>,
): HandlerDecorator<ChannelSubscription<MatchedParams<Pattern>>, unknown> =>
  describeHandler('subscribe', channels);

/**
 * A method that is called when a client no longer streams a channel of a pattern, for whatever reason: once for each
 * call of {@link OnSubscribe}, after that call has finished.
 *
 * @param channels a pattern, or a definition made with `defineChannel()`
 * @throws SseError `INVALID_CHANNEL` for an invalid pattern
 */
export const OnUnsubscribe = <const Pattern extends string>(
  channels: ChannelsOf<Pattern>,
): HandlerDecorator<ChannelSubscription<MatchedParams<Pattern>>, unknown> =>
  describeHandler('unsubscribe', channels);

/**
 * A method that is called when a channel of a pattern gets its first subscriber in this process, in a response or
 * elsewhere: to start the source that publishes to it. Each instance has its own first subscriber; start a source that
 * shall run on one instance only with `whileLeading()`.
 *
 * It returns when the source is started. {@link OnLastUnsubscribed} is not called before that, and not at all if the
 * last subscriber has gone and another has come meanwhile. Its errors are logged, and the source counts as started.
 *
 * @param channels a pattern, or a definition made with `defineChannel()`
 * @throws SseError `INVALID_CHANNEL` for an invalid pattern
 *
 * @example
 * ```ts
 * @OnFirstSubscriber('prices/:symbol')
 * start({ channel, params }: ChannelUse<{ symbol: string }>): void {
 *   const prices = this.feed.prices(params.symbol);
 *   this.running.set(channel, prices.subscribe((data) => void this.hub.publish(channel, { data })));
 * }
 *
 * @OnLastUnsubscribed('prices/:symbol')
 * stop({ channel }: ChannelUse): void {
 *   this.running.get(channel)?.unsubscribe();
 *   this.running.delete(channel);
 * }
 * ```
 */
export const OnFirstSubscriber = <const Pattern extends string>(
  channels: ChannelsOf<Pattern>,
): HandlerDecorator<ChannelUse<MatchedParams<Pattern>>, unknown> => describeHandler('first', channels);

/**
 * A method that is called when the last subscriber of a channel of a pattern in this process has gone: to stop the
 * source that {@link OnFirstSubscriber} has started. That is not called again until this method has finished.
 *
 * @param channels a pattern, or a definition made with `defineChannel()`
 * @throws SseError `INVALID_CHANNEL` for an invalid pattern
 */
export const OnLastUnsubscribed = <const Pattern extends string>(
  channels: ChannelsOf<Pattern>,
): HandlerDecorator<ChannelUse<MatchedParams<Pattern>>, unknown> => describeHandler('last', channels);
