import type { ChannelDefinition } from '../channels/channel-definition.js';
import type { HandlerKind } from './channel-handlers.js';
import { ChannelPattern } from '../channels/channel-pattern.js';
import { COPY, processWide, type NamedChannels, type PackageCopy } from '../package-copy.js';
import { SseError } from '../sse.errors.js';

/** The channels that a method is for: those that match a pattern, or a definition's. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a definition is taken whatever the types of its events
export type ChannelsOf<Pattern extends string> = Pattern | ChannelDefinition<Pattern, any>;

/**
 * A decorator for methods that take one argument, or none. The descriptor is readonly, unlike `TypedPropertyDescriptor`:
 * a method may then return a more exact type than `Result`.
 */
export type HandlerDecorator<Argument, Result> = (
  target: object,
  key: string | symbol,
  descriptor: { readonly value?: (argument: Argument) => Result },
) => void;

/** The declaration that one decorator makes of a method. */
export interface DescribedHandler {
  readonly kind: HandlerKind;
  readonly pattern: ChannelPattern;
  /** Undefined where the decorator was given a pattern. */
  readonly definition: NamedChannels | undefined;
  readonly copy: PackageCopy;
}

// Other copies of this package read it, too.
const HANDLERS = 'nestjs-sse-hub:handlers';

/**
 * Describes a method. It may be decorated several times, for several kinds or patterns.
 *
 * The description belongs to the property and not to the function in it: another decorator may put a function of its own
 * in the place of the method, and a subclass may override it. The method is called by its name all the same.
 *
 * @throws SseError `INVALID_CHANNEL`; `INVALID_HANDLER` when it is applied to what Nest's scanner does not find: a
 * channel whose authoriser is never asked would be open to everybody
 */
export function describeHandler<Argument, Result>(
  kind: HandlerKind,
  channels: ChannelsOf<string>,
): HandlerDecorator<Argument, Result> {
  const definition = typeof channels === 'string' ? undefined : channels;
  const pattern = new ChannelPattern(typeof channels === 'string' ? channels : channels.pattern);
  return (target, key, { value }) => {
    if (typeof target === 'function' || typeof key === 'symbol' || typeof value !== 'function') {
      throw new SseError(
        'INVALID_HANDLER',
        `${String(key)} cannot be called for channels: decorate a method of instances, whose name is a string.`,
      );
    }
    const others = (Reflect.getOwnMetadata(HANDLERS, target, key) ?? []) as readonly DescribedHandler[];
    const described: DescribedHandler = { kind, pattern, definition, copy: COPY };
    Reflect.defineMetadata(HANDLERS, [...others, described], target, key);
    processWide.unfound.add(target);
  };
}

/** The methods of a class, not of what it extends, that were decorated. */
export const decoratedKeys = (prototype: object): string[] =>
  Object.getOwnPropertyNames(prototype).filter((key) => Reflect.hasOwnMetadata(HANDLERS, prototype, key));

/**
 * The decorators of a method, the one next to it first. An override that has no such decorator has those of the
 * method in whose place it stands.
 */
export const describedHandlers = (prototype: object, key: string): readonly DescribedHandler[] =>
  (Reflect.getMetadata(HANDLERS, prototype, key) ?? []) as readonly DescribedHandler[];
