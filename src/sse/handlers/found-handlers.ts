import { describedHandlers } from './channel-handler.decorator.js';
import type { ChannelHandler } from './channel-handlers.js';
import { SseError } from '../sse.errors.js';
import type { FoundMethod, Methods } from './decorated-methods.js';

/**
 * The methods that were decorated to do something for some channels.
 *
 * @throws SseError `INVALID_HANDLER` that names a method which cannot be called
 */
export function foundHandlers(methods: readonly FoundMethod[]): ChannelHandler[] {
  return methods.flatMap((method) => {
    const described = describedHandlers(method.prototype, method.key);
    if (described.length > 0) refuseWithoutInstance(method);
    const { name, key, wrapper } = method;
    const instance = wrapper.instance as Methods;
    const call = (argument: unknown): unknown => instance[key]?.(argument);
    return described.map(({ kind, pattern }) => ({ kind, pattern, name, call }));
  });
}

function refuseWithoutInstance({ name, wrapper }: FoundMethod): void {
  if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) return;
  throw new SseError(
    'INVALID_HANDLER',
    `${name} is called for channels and not for a request, but its class has no single instance. Move it to a provider of the default scope.`,
  );
}
