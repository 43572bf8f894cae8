import type { MatchedParams } from '../channels/channel-pattern.js';
import {
  describeHandler,
  type ChannelsOf,
  type HandlerDecorator,
} from '../handlers/channel-handler.decorator.js';

/** The argument of a method with `@OnSubscribe()` or `@OnUnsubscribe()`. */
export interface ChannelSubscription<
  Params = Readonly<Record<string, string>>,
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- which adapter's request it is, the application knows
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
 * A method that is called when a client begins to stream a channel of a pattern: when it may have it, and its
 * position there is known. It is called on the instance that the client is connected to, after the fact and
 * beside the stream: nothing waits for it, and what it throws is logged.
 *
 * @param channels a pattern, or a definition made with `defineChannel()`
 * @throws SseError `INVALID_CHANNEL` for what is no pattern
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
 * A method that is called when a client streams a channel of a pattern no longer, for whatever reason: once
 * for each time that {@link OnSubscribe} is, and when those methods have finished.
 *
 * @param channels a pattern, or a definition made with `defineChannel()`
 * @throws SseError `INVALID_CHANNEL` for what is no pattern
 */
export const OnUnsubscribe = <const Pattern extends string>(
  channels: ChannelsOf<Pattern>,
): HandlerDecorator<ChannelSubscription<MatchedParams<Pattern>>, unknown> =>
  describeHandler('unsubscribe', channels);

/**
 * A method that is called when somebody streams a channel of a pattern that nobody did, in a response or
 * elsewhere in this process: to start what publishes to it. Each instance has its own first subscriber; what
 * is to run on one of them only is started with `whileLeading()`.
 *
 * It returns when the source is started: {@link OnLastUnsubscribed} is not called before, and not at all if
 * the last one has gone and another has come meanwhile. What it throws is logged, and counts as started.
 *
 * @param channels a pattern, or a definition made with `defineChannel()`
 * @throws SseError `INVALID_CHANNEL` for what is no pattern
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
 * A method that is called when nobody in this process streams a channel of a pattern any more: to stop what
 * {@link OnFirstSubscriber} has started. The next first subscriber waits until it has finished.
 *
 * @param channels a pattern, or a definition made with `defineChannel()`
 * @throws SseError `INVALID_CHANNEL` for what is no pattern
 */
export const OnLastUnsubscribed = <const Pattern extends string>(
  channels: ChannelsOf<Pattern>,
): HandlerDecorator<ChannelUse<MatchedParams<Pattern>>, unknown> => describeHandler('last', channels);
