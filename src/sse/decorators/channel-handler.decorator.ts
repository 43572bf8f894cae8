import type { ChannelDefinition } from '../hub/channel-definition.js';
import type { HandlerKind } from '../hub/channel-handlers.js';
import { ChannelPattern } from '../hub/channel-pattern.js';

/** Which channels a method is for: those that match a pattern, or a definition's. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever its events are
export type ChannelsOf<Pattern extends string> = Pattern | ChannelDefinition<Pattern, any>;

/** A decorator for methods that take one argument, or none. */
export type HandlerDecorator<Argument, Result> = <Method extends (argument: Argument) => Result>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/** What a method was decorated with. */
export interface DescribedHandler {
  readonly kind: HandlerKind;
  readonly pattern: ChannelPattern;
}

const HANDLERS = 'nestjs-sse-hub:handlers';

/** Describes a method. It may be decorated several times, for several kinds or patterns. */
export function describeHandler<Argument, Result>(
  kind: HandlerKind,
  channels: ChannelsOf<string>,
): HandlerDecorator<Argument, Result> {
  const pattern = new ChannelPattern(typeof channels === 'string' ? channels : channels.pattern);
  return (_target, _key, { value }) => {
    const method = value as object;
    Reflect.defineMetadata(HANDLERS, [...describedHandlers(method), { kind, pattern }], method);
  };
}

/** What a method was decorated with, the decorator next to it first. */
export const describedHandlers = (method: object): readonly DescribedHandler[] =>
  (Reflect.getMetadata(HANDLERS, method) ?? []) as DescribedHandler[];
