import { DiscoveryService, MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { describedHandlers } from '../decorators/channel-handler.decorator.js';
import type { ChannelHandler } from '../hub/handlers/channel-handlers.js';
import { SseError } from '../sse.errors.js';

type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];
type Methods = Readonly<Record<string, (argument: unknown) => unknown>>;

const scanner = new MetadataScanner();

/**
 * The methods of all providers and controllers that were decorated to do something for some channels.
 *
 * @throws SseError `INVALID_HANDLER` that names a method which cannot be called
 */
export function foundHandlers(modules: ModulesContainer): ChannelHandler[] {
  const discovery = new DiscoveryService(modules);
  const seen = new Set<unknown>();
  return [...discovery.getProviders(), ...discovery.getControllers()].flatMap((wrapper) => {
    const prototype = prototypeOf(wrapper);
    const target: unknown = wrapper.instance ?? wrapper.metatype;
    // One object may be provided under several tokens.
    if (!prototype || seen.has(target)) return [];
    seen.add(target);
    return handlersOf(wrapper, prototype);
  });
}

function handlersOf(wrapper: InstanceWrapper, prototype: Methods): ChannelHandler[] {
  return scanner.getAllMethodNames(prototype).flatMap((key) => {
    const described = describedHandlers(prototype[key] as object);
    if (described.length === 0) return [];
    const name = `${String(wrapper.name)}.${key}()`;
    if (!wrapper.isDependencyTreeStatic() || wrapper.isTransient) {
      throw new SseError(
        'INVALID_HANDLER',
        `${name} is called for channels and not for a request, but its class has no single instance. Move it to a provider of the default scope.`,
      );
    }
    const instance = wrapper.instance as Methods;
    return described.map(({ kind, pattern }) => ({
      kind,
      pattern,
      name,
      call: (argument: unknown) => instance[key]?.(argument),
    }));
  });
}

/** Of a class, or of what a factory has made. */
function prototypeOf({ metatype, inject, instance }: InstanceWrapper): Methods | undefined {
  if (metatype && !inject) return metatype.prototype as Methods | undefined;
  const made: unknown = instance;
  return typeof made === 'object' && made !== null ? (Object.getPrototypeOf(made) as Methods) : undefined;
}
