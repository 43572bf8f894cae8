import type { ChannelAccess } from './authorization.js';
import type { MatchedParams } from '../channels/channel-pattern.js';
import {
  describeHandler,
  type ChannelsOf,
  type HandlerDecorator,
} from '../handlers/channel-handler.decorator.js';

/**
 * A method that decides who may stream the channels of a pattern. It is asked for every stream in a response, before
 * anything of the channel is sent, and answers true, or a Promise of that. Anything else refuses the channel: another
 * value, an error, or no answer within `authorizeTime`. If several patterns match, all methods must grant. Its class
 * must have the default scope: one instance for the application.
 *
 * @param channels a pattern, or a definition made with `defineChannel()`
 * @throws SseError `INVALID_CHANNEL` for an invalid pattern
 *
 * @example
 * ```ts
 * @AuthorizeChannel('orders/:id')
 * mayRead({ params, user }: ChannelAccess<{ id: string }>): Promise<boolean> {
 *   return this.orders.belongsTo(params.id, user);
 * }
 * ```
 */
export const AuthorizeChannel = <const Pattern extends string>(
  channels: ChannelsOf<Pattern>,
): HandlerDecorator<ChannelAccess<MatchedParams<Pattern>>, boolean | Promise<boolean>> =>
  describeHandler('authorize', channels);
