export type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Puts a method in the place of the one it wraps, for the decorators above it and for those below. */
export function inPlaceOf(method: Method, wrapper: Method): Method {
  // Decorators below have described the method that is wrapped.
  for (const key of Reflect.getMetadataKeys(method))
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), wrapper);
  return Object.defineProperties(wrapper, {
    name: { value: method.name },
    length: { value: method.length },
  });
}

/** Metadata key of a method with this package's `@Sse()`. Decorators that wrap the method copy it, and all copies of this package read it. */
export const SSE_ROUTE = 'nestjs-sse-hub:route';

/** Whether a method has this package's `@Sse()`, perhaps below other decorators. */
export const hasOwnRoute = (method: object): boolean => Reflect.hasMetadata(SSE_ROUTE, method);

const served = new WeakSet<object>();

/** Notes of a method that its response is served from within: what it gives back is not to be streamed. */
export function servedWithin(method: Method): Method {
  served.add(method);
  return method;
}

/** Whether a function is such a method itself, and not one that a decorator has put around it. */
export const isServedWithin = (method: object): boolean => served.has(method);
