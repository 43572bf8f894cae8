import { DiscoveryService, MetadataScanner, type ModulesContainer } from '@nestjs/core';

type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** Functions by their names. */
export type Methods = Readonly<Record<string, (argument: unknown) => unknown>>;

/** A method of a provider or a controller. */
export interface FoundMethod {
  readonly wrapper: InstanceWrapper;
  readonly prototype: Methods;
  readonly key: string;
  /** `OrdersAccess.mayRead()`, for messages. */
  readonly name: string;
}

/** A class, or what a factory has made, as it is provided in an application. */
export interface Provided {
  readonly wrapper: InstanceWrapper;
  readonly prototype: Methods;
}

/** What is provided in all modules of an application, each object once. */
export function providedIn(modules: ModulesContainer): Provided[] {
  const discovery = new DiscoveryService(modules);
  const seen = new Set<unknown>();
  return [...discovery.getProviders(), ...discovery.getControllers()].flatMap((wrapper) => {
    const prototype = prototypeOf(wrapper);
    const target: unknown = wrapper.instance ?? wrapper.metatype;
    // One object may be provided under several tokens.
    if (!prototype || seen.has(target)) return [];
    seen.add(target);
    return { wrapper, prototype };
  });
}

/** All methods of what is provided, those that it inherits among them. */
export function methodsOf(provided: readonly Provided[]): FoundMethod[] {
  const scanner = new MetadataScanner();
  return provided.flatMap(({ wrapper, prototype }) =>
    scanner
      .getAllMethodNames(prototype)
      .map((key) => ({ wrapper, prototype, key, name: `${String(wrapper.name)}.${key}()` })),
  );
}

/** Of a class, or of what a factory has made. */
function prototypeOf({ metatype, inject, instance }: InstanceWrapper): Methods | undefined {
  if (metatype && !inject) return metatype.prototype as Methods | undefined;
  const made: unknown = instance;
  return typeof made === 'object' && made !== null ? (Object.getPrototypeOf(made) as Methods) : undefined;
}
