import type { Provider } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { ChannelRule } from './channel-definition.js';
import { COPY, refuseOtherVersion, type PackageCopy } from '../package-copy.js';

/**
 * The description of the tokens of {@link featureChannels}, the same in every copy of this package. The providers are
 * found by it, as values of other providers may be proxies, such as those of nestjs-cls, that must not be looked into.
 */
const TOKEN = 'nestjs-sse-hub:feature-channels';

/** The definitions of one `SseModule.forFeature()`. */
interface FeatureChannels {
  readonly copy: PackageCopy;
  readonly definitions: readonly ChannelRule[];
}

/** The provider by which one `SseModule.forFeature()` declares its channels. */
export function featureChannels(definitions: readonly ChannelRule[]): Provider {
  return { provide: Symbol(TOKEN), useValue: { copy: COPY, definitions } satisfies FeatureChannels };
}

/**
 * The definitions of all modules of the application, in the order in which the modules were found.
 *
 * @throws SseError `INVALID_OPTIONS` for those of another version of this package
 */
export function declaredChannels(modules: ModulesContainer): ChannelRule[] {
  const providers = [...modules.values()].flatMap((module) => [...module.providers]);
  return providers.flatMap(([token, { instance }]) => {
    if (typeof token !== 'symbol' || token.description !== TOKEN) return [];
    const { copy, definitions } = instance as FeatureChannels;
    refuseOtherVersion('SseModule.forFeature()', copy);
    return definitions;
  });
}
