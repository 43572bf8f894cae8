import { decoratedKeys, describedHandlers } from './channel-handler.decorator.js';
import { describedPublishing } from '../publishing/publish.decorator.js';
import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import { processWide, refuseOtherVersion } from '../package-copy.js';
import { SseError } from '../sse.errors.js';
import type { FoundMethod, Provided } from './decorated-methods.js';

/**
 * What keeps decorated methods from being called: that no module lists their classes. Those of this application
 * count as found from now on, and so do the classes that they extend.
 *
 * @returns a sentence that names them; undefined where there are none
 */
export function unfoundMethods(provided: readonly Provided[]): string | undefined {
  for (const { prototype } of provided) found(prototype);
  const names = [...processWide.unfound].flatMap((prototype) =>
    decoratedKeys(prototype).map((key) => `${prototype.constructor.name}.${key}()`),
  );
  if (names.length === 0) return undefined;
  return `No module lists the classes of ${names.join(', ')}: nobody calls these methods, and channels that one of them guards are open. Add them to the providers of a module. If this application is not to have them, say "strictHandlers: false".`;
}

function found(prototype: object): void {
  for (let own: object | null = prototype; own; own = Object.getPrototypeOf(own) as object | null)
    processWide.unfound.delete(own);
}

/**
 * Refuses what decorators were given that is not in force.
 *
 * @throws SseError `INVALID_HANDLER` for a definition that is not listed; `INVALID_OPTIONS` for a decorator of another
 * version of this package
 */
export function refuseUnlisted(methods: readonly FoundMethod[], definitions: ChannelDefinitions): void {
  for (const { prototype, key, name } of methods) {
    const publishing = describedPublishing(prototype, key);
    const described = [...describedHandlers(prototype, key), ...(publishing ? [publishing] : [])];
    for (const { definition, copy } of described) {
      refuseOtherVersion(name, copy);
      if (!definition || definitions.has(definition)) continue;
      throw new SseError(
        'INVALID_HANDLER',
        `${name} is decorated with the definition of "${definition.pattern}", which is not in force. List it in SseModule.forFeature([…]).`,
      );
    }
  }
}
