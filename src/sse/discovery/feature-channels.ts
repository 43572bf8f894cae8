import type { ModulesContainer } from '@nestjs/core';
import type { ChannelRule } from '../hub/definitions/channel-definition.js';

/** What one `SseModule.forFeature()` declares. */
export class FeatureChannels {
  constructor(readonly definitions: readonly ChannelRule[]) {}
}

/** The definitions of all modules of the application, in the order in which the modules were found. */
export function declaredChannels(modules: ModulesContainer): ChannelRule[] {
  const providers = [...modules.values()].flatMap((module) => [...module.providers.values()]);
  return providers.flatMap(({ instance }) =>
    instance instanceof FeatureChannels ? instance.definitions : [],
  );
}
