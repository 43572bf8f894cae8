import { Logger } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, type ModulesContainer } from '@nestjs/core';
import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import type { ChannelPattern } from '../channels/channel-pattern.js';
import { processWide, refuseOtherVersion } from '../package-copy.js';
import { describedPublishing } from '../publishing/publish.decorator.js';
import { SparseLog } from '../sparse-log.js';
import { SseError } from '../sse.errors.js';
import type { SseSettings } from '../sse.settings.js';
import { decoratedKeys, describedHandlers } from './channel-handler.decorator.js';
import type { ChannelHandler, ChannelHandlers, HandlerKind } from './channel-handlers.js';

/*
 * At the start the decorated methods of the application are found, and whatever would be silently without effect is
 * refused: a class that no module lists, a class without a single instance, a definition that is not listed, a
 * decorator of another version of this package. A channel whose authoriser is never asked would be open to everybody.
 */

type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

type Methods = Readonly<Record<string, (argument: unknown) => unknown>>;

/** A method of a provider or a controller. */
interface FoundMethod {
  readonly wrapper: InstanceWrapper;
  /** The prototype of a class, or of an object that a factory has made. */
  readonly prototype: Methods;
  readonly key: string;
  /** `OrdersAccess.mayRead()`, for messages. */
  readonly name: string;
}

/** Finds the decorated methods of an application. */
export class HandlerDiscovery {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly definitions: ChannelDefinitions,
    private readonly handlers: ChannelHandlers,
    private readonly settings: Pick<SseSettings, 'strictHandlers'>,
  ) {}

  /** @throws SseError `INVALID_HANDLER`, `DUPLICATE_DEFINITION`, `INVALID_OPTIONS` */
  find(): ChannelHandlers {
    const methods = methodsIn(this.modules);
    this.#refuseUnfound();
    for (const method of methods) this.#refuseUnlisted(method);
    this.handlers.add(methods.flatMap(handlersOf));
    return this.handlers;
  }

  /** The patterns of all methods of a kind. They are known before the application has started. */
  patterns(kind: HandlerKind): ChannelPattern[] {
    const described = methodsIn(this.modules).flatMap(({ prototype, key }) =>
      describedHandlers(prototype, key),
    );
    return described.filter((handler) => handler.kind === kind).map(({ pattern }) => pattern);
  }

  /** Decorated methods are never called if no module lists their class. */
  #refuseUnfound(): void {
    const names = [...processWide.unfound].flatMap((prototype) =>
      decoratedKeys(prototype).map((key) => `${prototype.constructor.name}.${key}()`),
    );
    if (names.length === 0) return;
    const message = `No module lists the classes of ${names.join(', ')}: nobody calls these methods, and channels that one of them guards are open. Add them to the providers of a module. If this application is not to have them, say "strictHandlers: false".`;
    if (this.settings.strictHandlers) throw new SseError('INVALID_HANDLER', message);
    new Logger('SseModule').warn(message);
  }

  /**
   * @throws SseError `INVALID_HANDLER` for a definition that is not listed; `INVALID_OPTIONS` for a decorator of another
   * version of this package
   */
  #refuseUnlisted({ prototype, key, name }: FoundMethod): void {
    const publishing = describedPublishing(prototype, key);
    const described = [...describedHandlers(prototype, key), ...(publishing ? [publishing] : [])];
    for (const { definition, copy } of described) {
      refuseOtherVersion(name, copy);
      if (!definition || this.definitions.has(definition)) continue;
      throw new SseError(
        'INVALID_HANDLER',
        `${name} is decorated with the definition of "${definition.pattern}", which is not in force. List it in SseModule.forFeature([…]).`,
      );
    }
  }
}

/** All methods of everything that the modules provide, inherited ones among them. Their classes count as found. */
function methodsIn(modules: ModulesContainer): FoundMethod[] {
  const discovery = new DiscoveryService(modules);
  const scanner = new MetadataScanner();
  const seen = new Set<unknown>();
  return [...discovery.getProviders(), ...discovery.getControllers()].flatMap((wrapper) => {
    const prototype = prototypeOf(wrapper);
    const target: unknown = wrapper.instance ?? wrapper.metatype;
    // One object may be provided under several tokens.
    if (!prototype || seen.has(target)) return [];
    seen.add(target);
    markFound(prototype);
    return scanner
      .getAllMethodNames(prototype)
      .map((key) => ({ wrapper, prototype, key, name: `${String(wrapper.name)}.${key}()` }));
  });
}

function prototypeOf({ metatype, inject, instance }: InstanceWrapper): Methods | undefined {
  if (metatype && !inject) return metatype.prototype as Methods | undefined;
  const made: unknown = instance;
  return typeof made === 'object' && made !== null ? (Object.getPrototypeOf(made) as Methods) : undefined;
}

/** A class counts as found, and so do the classes that it extends. */
function markFound(prototype: object): void {
  for (let own: object | null = prototype; own; own = Object.getPrototypeOf(own) as object | null)
    processWide.unfound.delete(own);
}

/** The handlers that a method is. @throws SseError `INVALID_HANDLER` if it cannot be called */
function handlersOf({ wrapper, prototype, key, name }: FoundMethod): ChannelHandler[] {
  const described = describedHandlers(prototype, key);
  if (described.length > 0 && (!wrapper.isDependencyTreeStatic() || wrapper.isTransient)) {
    throw new SseError(
      'INVALID_HANDLER',
      `${name} is called for channels and not for a request, but its class has no single instance. Move it to a provider of the default scope.`,
    );
  }
  const instance = wrapper.instance as Methods;
  const call = (argument: unknown): unknown => instance[key]?.(argument);
  return described.map(({ kind, pattern }) => ({ kind, pattern, name, log: new SparseLog(), call }));
}
