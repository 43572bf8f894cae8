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
