import type { ChannelDefinition } from '../hub/definitions/channel-definition.js';
import type { HandlerKind } from '../hub/handlers/channel-handlers.js';
import { ChannelPattern } from '../hub/definitions/channel-pattern.js';
import { SseError } from '../sse.errors.js';

/** Which channels a method is for: those that match a pattern, or a definition's. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever its events are
export type ChannelsOf<Pattern extends string> = Pattern | ChannelDefinition<Pattern, any>;

/**
 * A decorator for methods that take one argument, or none. The method may say more exactly what it returns; a
 * `TypedPropertyDescriptor` could be set, too, and would have it be of one type.
 */
export type HandlerDecorator<Argument, Result> = (
  target: object,
  key: string | symbol,
  descriptor: { readonly value?: (argument: Argument) => Result },
) => void;

/** What a method was decorated with. */
export interface DescribedHandler {
  readonly kind: HandlerKind;
  readonly pattern: ChannelPattern;
}

const HANDLERS = 'nestjs-sse-hub:handlers';

/**
 * Describes a method. It may be decorated several times, for several kinds or patterns.
 *
 * @throws SseError `INVALID_CHANNEL`; `INVALID_HANDLER` when it is applied to what Nest's scanner does not find: a
 * channel whose authoriser is never asked would be open to everybody
 */
export function describeHandler<Argument, Result>(
  kind: HandlerKind,
  channels: ChannelsOf<string>,
): HandlerDecorator<Argument, Result> {
  const pattern = new ChannelPattern(typeof channels === 'string' ? channels : channels.pattern);
  return (target, key, { value }) => {
    if (typeof target === 'function' || typeof key === 'symbol' || typeof value !== 'function') {
      throw new SseError(
        'INVALID_HANDLER',
        `${String(key)} cannot be called for channels: decorate a method of instances, whose name is a string.`,
      );
    }
    const method = value as object;
    Reflect.defineMetadata(HANDLERS, [...describedHandlers(method), { kind, pattern }], method);
  };
}

/** What a method was decorated with, the decorator next to it first. */
export const describedHandlers = (method: object): readonly DescribedHandler[] =>
  (Reflect.getMetadata(HANDLERS, method) ?? []) as DescribedHandler[];
