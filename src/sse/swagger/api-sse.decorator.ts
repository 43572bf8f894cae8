import type { ChannelRule } from '../channels/channel-definition.js';
import { SseError } from '../sse.errors.js';

// Other decorators that wrap the method copy it, as Nest's conventions ask for.
const STREAMED = 'nestjs-sse-hub:api-sse';

/**
 * Names the definitions of all channels that a route streams, for the document that `addSse()` completes. It stands above or
 * below `@Sse()`, on the same method.
 *
 * @param definitions each has to be listed in `SseModule.forFeature()`; none for a route that streams no channel, only events of
 * its own
 * @throws SseError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * @Sse(':id/events')
 * @ApiSse(Order)
 * @ApiOperation({ summary: 'The life of an order' })
 * events(@Param('id') id: string): Observable<SseEvent> {
 *   return this.hub.stream(Order.of({ id }));
 * }
 * ```
 */
export function ApiSse(...definitions: readonly ChannelRule[]): MethodDecorator {
  if (!definitions.every(isDefinition))
    throw new SseError(
      'INVALID_OPTIONS',
      '@ApiSse() takes definitions of channels, as defineChannel() makes them.',
    );
  return (_target: object, _key: string | symbol, { value }: PropertyDescriptor): void =>
    Reflect.defineMetadata(STREAMED, definitions, value as object);
}

/** The definitions that `@ApiSse()` names; undefined for a method without it. */
export const streamedBy = (method: object): readonly ChannelRule[] | undefined =>
  Reflect.getMetadata(STREAMED, method) as readonly ChannelRule[] | undefined;

const isDefinition = (value: unknown): boolean =>
  typeof (value as Partial<ChannelRule> | null | undefined)?.pattern === 'string';
