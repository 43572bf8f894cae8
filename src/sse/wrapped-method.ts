export type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Makes a wrapper look like the method that it wraps: its name, its length, and the metadata of decorators below. */
export function inPlaceOf(method: Method, wrapper: Method): Method {
  for (const key of Reflect.getMetadataKeys(method))
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), wrapper);
  return Object.defineProperties(wrapper, {
    name: { value: method.name },
    length: { value: method.length },
  });
}

/**
 * Metadata key of a method with this package's `@Sse()`. Decorators that wrap the method copy it, and all copies of this
 * package read it.
 */
export const SSE_ROUTE = 'nestjs-sse-hub:route';

/** Whether a method has this package's `@Sse()`, perhaps below other decorators. */
export const hasOwnRoute = (method: object): boolean => Reflect.hasMetadata(SSE_ROUTE, method);

const served = new WeakSet<object>();

/** Notes that a method serves its response itself, so that its result is not to be streamed. */
export function servedWithin(method: Method): Method {
  served.add(method);
  return method;
}

/** Whether a function is such a method itself, and no wrapper that a decorator has put around it. */
export const isServedWithin = (method: object): boolean => served.has(method);
